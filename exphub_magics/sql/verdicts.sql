-- Each narrative of an experiment with its result beside the manual flag; no narrative text.
SELECT narrative_id, incident_id, source, status, flag, manual_flag, outcome, confidence, p_true, rational, reasoning_steps, error
FROM verdicts
WHERE experiment_id = :experiment
ORDER BY narrative_id;
