-- Who has decided something in any dataset, whoever's name begins so: from one name to the next by the index, for there
-- may be as many labels as narratives.
WITH RECURSIVE known (dataset_id, coder) AS (
  SELECT d.id, (SELECT min(coder) FROM labels WHERE dataset_id = d.id) FROM datasets AS d
  UNION ALL
  SELECT k.dataset_id, (SELECT min(coder) FROM labels WHERE dataset_id = k.dataset_id AND coder > k.coder)
  FROM known AS k
  WHERE k.coder IS NOT NULL
)
SELECT DISTINCT coder FROM known
WHERE coder >= :start AND coder < :start || char(1114111)
ORDER BY coder
LIMIT :most;
