-- Let a result say what its reply is read as now.
UPDATE results SET
  status = :status, flag = :flag, rational = :rational, reasoning_steps = :reasoning_steps, confidence = :confidence,
  p_true = :p_true, error = :error, reader = :reader, recorded_at = :now
WHERE id = :id;
