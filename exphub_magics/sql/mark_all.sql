-- Set the two is_ columns of all of an experiment's results from the manual flags, where they are others. The truth of
-- the dataset is worked out once, and results are looked up by it: labels are never deleted, so that a narrative
-- without one has no mark to be taken off.
WITH held AS MATERIALIZED (SELECT narrative_id, flag FROM truth WHERE dataset_id = :dataset),
marked AS MATERIALIZED (
  SELECT r.id,
         CASE WHEN r.flag IS NOT NULL AND h.flag IS NOT NULL THEN r.flag AND NOT h.flag END AS false_positive,
         CASE WHEN r.flag IS NOT NULL AND h.flag IS NOT NULL THEN NOT r.flag AND h.flag END AS false_negative
  FROM held AS h
  CROSS JOIN results AS r ON r.experiment_id = :experiment AND r.narrative_id = h.narrative_id
)
UPDATE results SET is_false_positive = m.false_positive, is_false_negative = m.false_negative
FROM marked AS m
WHERE results.id = m.id
  AND (results.is_false_positive IS NOT m.false_positive OR results.is_false_negative IS NOT m.false_negative);
