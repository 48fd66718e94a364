-- The next narratives of a dataset, in their order.
SELECT id, narrative_id, incident_id, source, narrative_text, facts
FROM narratives
WHERE dataset_id = :dataset AND id > :after
ORDER BY id
LIMIT :size;
