-- The next narratives of an experiment, each with its result's state and flag; no text.
SELECT a.dataset_id, a.narrative_id, a.incident_id, r.status, r.flag
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.narrative_id > :after
ORDER BY a.narrative_id
LIMIT :size;
