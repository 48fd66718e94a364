-- What an experiment says of each of its narratives that can be evaluated; no text.
SELECT a.narrative_id, a.incident_id, a.source, r.flag, r.confidence
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.placeholder IS NULL
ORDER BY a.position;
