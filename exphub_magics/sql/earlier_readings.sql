-- What the replies that these results were read from were read as before, in the order in which that was replaced.
SELECT e.*
FROM results AS r
JOIN readings AS e
  ON e.experiment_id = r.experiment_id AND e.narrative_id = r.narrative_id AND e.request_hash = r.request_hash
WHERE r.id IN (SELECT value FROM json_each(:results))
ORDER BY e.id;
