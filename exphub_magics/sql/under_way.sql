-- The experiments that somebody runs at this moment, with how far they are.
SELECT l.experiment_id AS id, n.name, n.version, l.author, l.process, l.taken_at, l.beaten_at,
       (SELECT count(*) FROM results AS r WHERE r.experiment_id = l.experiment_id) AS finished, e.total_narratives
FROM leases AS l
JOIN experiments AS e ON e.id = l.experiment_id
JOIN (SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version FROM experiments) AS n
  ON n.id = l.experiment_id
ORDER BY l.taken_at;
