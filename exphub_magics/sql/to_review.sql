-- One narrative of an experiment with its text and what is said of it.
SELECT a.dataset_id, a.narrative_id, a.incident_id, a.source, a.narrative_text, r.status, r.flag, r.confidence, r.rational
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.narrative_id = :narrative;
