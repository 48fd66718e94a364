-- A coder's latest flags of incidents in a dataset; nobody is unsure of a whole incident.
SELECT l.incident_id, l.flag, 0 AS unsure, l.note
FROM incident_labels AS l
WHERE l.dataset_id = :dataset AND l.coder = :coder
  AND NOT EXISTS (
    SELECT 1 FROM incident_labels AS later
    WHERE later.dataset_id = l.dataset_id AND later.incident_id = l.incident_id
      AND later.coder = l.coder AND later.id > l.id
  );
