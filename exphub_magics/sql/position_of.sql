-- Where a narrative of an experiment stands in its dataset.
SELECT n.id AS position
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id AND n.narrative_id = :narrative
WHERE e.id = :experiment
  AND (
    NOT EXISTS (SELECT 1 FROM selected WHERE experiment_id = :experiment)
    OR EXISTS (SELECT 1 FROM selected AS s WHERE s.experiment_id = :experiment AND s.narrative_id = n.narrative_id)
  );
