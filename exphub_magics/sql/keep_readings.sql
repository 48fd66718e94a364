-- Copy results to the earlier readings, before their replies are read anew.
INSERT INTO readings (
  experiment_id, narrative_id, rational, flag, reasoning_steps, status, confidence, p_true, request_hash, error,
  attempts, reader, recorded_at, replaced_at
)
SELECT experiment_id, narrative_id, rational, flag, reasoning_steps, status, confidence, p_true, request_hash, error,
       attempts, reader, recorded_at, :now
FROM results
WHERE id IN (SELECT value FROM json_each(:results))
ORDER BY id;
