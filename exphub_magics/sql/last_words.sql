-- Each coder's last word on each narrative of a dataset, where it is a decision.
SELECT l.narrative_id, n.incident_id, l.coder, l.flag, l.unsure
FROM latest_labels AS l
JOIN narratives AS n ON n.dataset_id = l.dataset_id AND n.narrative_id = l.narrative_id
WHERE l.dataset_id = :dataset AND (l.flag IS NOT NULL OR l.unsure)
ORDER BY n.id, l.coder;
