-- An experiment is finished when nothing is pending.
UPDATE experiments SET end_time = :now
WHERE id = :experiment AND end_time IS NULL
  AND (SELECT pending FROM confusion WHERE experiment_id = :experiment) = 0;
