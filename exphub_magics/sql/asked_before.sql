-- The narratives of the incidents that other experiments ask about: two of one incident tell of the same.
SELECT n.narrative_id
FROM narratives AS n
WHERE n.dataset_id = (SELECT dataset_id FROM experiments WHERE id = :experiment)
  AND n.incident_id IN (
    SELECT a.incident_id
    FROM asked AS a
    WHERE a.experiment_id IN (SELECT value FROM json_each(:others))
  );
