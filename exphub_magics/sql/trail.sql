-- Everything that anybody has said of a narrative, the oldest first.
SELECT l.id, l.coder, l.flag, l.unsure, l.note, l.labelled_at, l.blind, l.undoes, n.name, n.version
FROM labels AS l
LEFT JOIN (SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version FROM experiments) AS n
  ON n.id = l.experiment_id
WHERE l.dataset_id = :dataset AND l.narrative_id = :narrative
ORDER BY l.id;
