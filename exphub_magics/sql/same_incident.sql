-- The other narratives of an incident, in their order.
SELECT narrative_id, source FROM narratives
WHERE dataset_id = :dataset AND incident_id = :incident AND narrative_id <> :narrative
ORDER BY id
LIMIT :most;
