-- Every move of every alias, the oldest first, with what it was moved to.
SELECT a.alias, a.experiment_id, e.name, e.version, a.author, a.why, a.moved_at
FROM aliases AS a
LEFT JOIN (SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version FROM experiments) AS e
  ON e.id = a.experiment_id
ORDER BY a.id;
