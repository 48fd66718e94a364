-- The latest experiments whose name begins so, the newest first, each with its version and how many versions there are.
SELECT id, name, total_narratives,
       row_number() OVER (PARTITION BY name ORDER BY id) AS version,
       count(*) OVER (PARTITION BY name) AS versions
FROM experiments
WHERE name >= :start AND name < :start || char(1114111)
ORDER BY id DESC
LIMIT :most;
