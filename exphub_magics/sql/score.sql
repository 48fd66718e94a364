-- Rebuild the summary columns of one experiment from its results, which mark.sql has held against the manual flags.
UPDATE experiments SET (positives, negatives, false_positives, false_negatives, percent_overlap) = (
  SELECT coalesce(sum(flag), 0), coalesce(sum(NOT flag), 0),
         coalesce(sum(is_false_positive), 0), coalesce(sum(is_false_negative), 0),
         100.0 * sum(NOT is_false_positive AND NOT is_false_negative) / nullif(count(is_false_positive), 0)
  FROM results
  WHERE experiment_id = :experiment
)
WHERE id = :experiment;
