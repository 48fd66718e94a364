-- The last that a coder has said in the review of an experiment and not taken back, and the word before it. Where the
-- coder has said anything newer of that narrative elsewhere, which stands, there is nothing to be taken back here.
SELECT l.id, l.narrative_id, b.flag, coalesce(b.unsure, 0) AS unsure, b.note
FROM labels AS l
LEFT JOIN labels AS b ON b.id = (
  SELECT max(id) FROM labels AS earlier
  WHERE earlier.dataset_id = l.dataset_id AND earlier.narrative_id = l.narrative_id
    AND earlier.coder = l.coder AND earlier.id < l.id
)
WHERE l.dataset_id = :dataset AND l.coder = :coder AND l.experiment_id = :experiment AND l.undoes IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM labels AS later
    WHERE later.dataset_id = l.dataset_id AND later.narrative_id = l.narrative_id
      AND later.coder = l.coder AND later.undoes = l.id
  )
  AND NOT EXISTS (
    SELECT 1 FROM labels AS newer
    WHERE newer.dataset_id = l.dataset_id AND newer.narrative_id = l.narrative_id
      AND newer.coder = l.coder AND newer.id > l.id AND newer.undoes IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM labels AS undo
        WHERE undo.dataset_id = l.dataset_id AND undo.narrative_id = l.narrative_id
          AND undo.coder = l.coder AND undo.undoes = newer.id
      )
  )
ORDER BY l.id DESC
LIMIT 1;
