-- Set the two is_ columns of all of an experiment's results from the manual flags.
UPDATE results SET
  is_false_positive = (
    SELECT results.flag AND NOT t.flag FROM experiments AS e
    JOIN truth AS t ON t.dataset_id = e.dataset_id AND t.narrative_id = results.narrative_id
    WHERE e.id = results.experiment_id AND results.flag IS NOT NULL AND t.flag IS NOT NULL
  ),
  is_false_negative = (
    SELECT NOT results.flag AND t.flag FROM experiments AS e
    JOIN truth AS t ON t.dataset_id = e.dataset_id AND t.narrative_id = results.narrative_id
    WHERE e.id = results.experiment_id AND results.flag IS NOT NULL AND t.flag IS NOT NULL
  )
WHERE experiment_id = :experiment;
