-- The aliases that begin so, each with the experiment and the version that it stands for at this moment.
SELECT a.alias, n.name, n.version
FROM aliases AS a
JOIN (SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version FROM experiments) AS n
  ON n.id = a.experiment_id
WHERE a.id = (SELECT max(later.id) FROM aliases AS later WHERE later.alias = a.alias)
  AND a.alias >= :start AND a.alias < :start || char(1114111)
ORDER BY a.alias
LIMIT :most;
