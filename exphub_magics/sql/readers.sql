-- The versions of the reader that an experiment's replies were read with: how many results are so read now, and how
-- many have such a reading of the same reply among their earlier ones.
SELECT reader, count(DISTINCT current) AS current, count(DISTINCT earlier) AS earlier
FROM (
  SELECT reader, id AS current, NULL AS earlier
  FROM results
  WHERE experiment_id = :experiment AND request_hash IS NOT NULL
  UNION ALL
  SELECT e.reader, NULL, r.id
  FROM readings AS e
  JOIN results AS r
    ON r.experiment_id = e.experiment_id AND r.narrative_id = e.narrative_id AND r.request_hash = e.request_hash
  WHERE e.experiment_id = :experiment
)
WHERE reader IS NOT NULL
GROUP BY reader;
