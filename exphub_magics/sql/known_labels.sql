-- A coder's last word on each of these narratives.
SELECT l.narrative_id, l.flag, l.unsure, l.note
FROM json_each(:narratives) AS n
CROSS JOIN latest_labels AS l  -- so that SQLite looks each narrative up
WHERE l.dataset_id = :dataset AND l.narrative_id = n.value AND l.coder = :coder;
