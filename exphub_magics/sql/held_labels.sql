-- The flags that a coder has said last, of a dataset's narratives and of its incidents.
SELECT 'narrative' AS kind, narrative_id AS one, flag
FROM latest_labels
WHERE dataset_id = :dataset AND coder = :coder AND flag IS NOT NULL
UNION ALL
SELECT 'incident', l.incident_id, l.flag
FROM incident_labels AS l
WHERE l.dataset_id = :dataset AND l.coder = :coder AND l.flag IS NOT NULL
  AND l.id = (SELECT max(m.id) FROM incident_labels AS m
              WHERE m.dataset_id = l.dataset_id AND m.incident_id = l.incident_id AND m.coder = l.coder);
