-- Set the two is_ columns of one result from the manual flag. One at a time, since a bound narrative is looked up
-- by its index, where a list of them would have the truth of the whole dataset worked out.
UPDATE results SET (is_false_positive, is_false_negative) = (
  SELECT results.flag AND NOT t.flag, NOT results.flag AND t.flag
  FROM truth AS t
  WHERE t.dataset_id = :dataset AND t.narrative_id = :narrative
    AND results.flag IS NOT NULL AND t.flag IS NOT NULL
)
WHERE experiment_id = :experiment AND narrative_id = :narrative;
