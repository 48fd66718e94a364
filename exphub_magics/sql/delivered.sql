-- Those of an experiment's narratives that have these ids, each with its result's state.
SELECT a.narrative_id, a.narrative_text, a.facts, a.placeholder, r.status, r.flag, r.reader
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.narrative_id IN (SELECT value FROM json_each(:narratives));
