-- The narratives that earlier experiments of a name were run on, of the same dataset.
SELECT DISTINCT a.narrative_id
FROM experiments AS e
JOIN asked AS a ON a.experiment_id = e.id
WHERE e.name = (SELECT name FROM experiments WHERE id = :experiment)
  AND e.dataset_id = (SELECT dataset_id FROM experiments WHERE id = :experiment) AND e.id < :experiment;
