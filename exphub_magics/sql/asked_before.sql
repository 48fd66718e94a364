-- The narratives of the incidents that earlier experiments of a name were run on: two of one incident tell of the same.
WITH own AS (SELECT name, dataset_id FROM experiments WHERE id = :experiment)
SELECT n.narrative_id
FROM narratives AS n
WHERE n.dataset_id = (SELECT dataset_id FROM own)
  AND n.incident_id IN (
    SELECT a.incident_id
    FROM experiments AS e
    JOIN asked AS a ON a.experiment_id = e.id
    WHERE e.name = (SELECT name FROM own) AND e.dataset_id = (SELECT dataset_id FROM own) AND e.id < :experiment
  );
