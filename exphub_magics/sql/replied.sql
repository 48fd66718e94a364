-- The next results of an experiment that were read from a reply.
SELECT * FROM results
WHERE experiment_id = :experiment AND request_hash IS NOT NULL AND narrative_id > :after
ORDER BY narrative_id
LIMIT :size;
