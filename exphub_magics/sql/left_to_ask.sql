-- How many narratives an experiment is still to ask about, or anew; there may be fewer calls, for some are the same text.
SELECT count(*) AS n
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment AND a.placeholder IS NULL
  AND (
    r.id IS NULL
    OR EXISTS (SELECT 1 FROM json_each(:states) AS s WHERE s.key = r.status AND coalesce(r.recorded_at < s.value, 1))
  );
