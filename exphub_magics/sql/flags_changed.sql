-- How many narratives that two datasets share have another manual flag now, in the newer of them, than one of them held
-- at a moment. What it held is the view truth as of then.
WITH held AS (
  SELECT l.narrative_id,
         CASE
           WHEN max(CASE WHEN l.coder = 'adjudicated' THEN l.flag END) IS NOT NULL
             THEN max(CASE WHEN l.coder = 'adjudicated' THEN l.flag END)
           WHEN min(l.flag) = max(l.flag) THEN min(l.flag)
         END AS flag
  FROM labels AS l
  WHERE l.dataset_id = :held AND l.labelled_at <= :moment AND NOT EXISTS (
    SELECT 1 FROM labels AS later
    WHERE later.dataset_id = l.dataset_id AND later.narrative_id = l.narrative_id
      AND later.coder = l.coder AND later.labelled_at <= :moment AND later.id > l.id
  )
  GROUP BY l.narrative_id
)
SELECT count(*) AS n
FROM narratives AS a
JOIN narratives AS b ON b.dataset_id = :other AND b.narrative_id = a.narrative_id
  AND b.narrative_text = a.narrative_text
LEFT JOIN held AS h ON h.narrative_id = a.narrative_id
LEFT JOIN truth AS t ON t.dataset_id = max(:held, :other) AND t.narrative_id = a.narrative_id
WHERE a.dataset_id = :held AND h.flag IS NOT t.flag;
