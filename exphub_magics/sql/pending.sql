-- The next narratives of an experiment that have no result, or one in a state that is to be asked anew.
SELECT a.position, a.narrative_id, a.narrative_text, a.facts, a.placeholder, r.status
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.position > :after
  AND (
    r.id IS NULL
    OR EXISTS (SELECT 1 FROM json_each(:states) AS s WHERE s.key = r.status AND coalesce(r.recorded_at < s.value, 1))
  )
ORDER BY a.position
LIMIT :chunk;
