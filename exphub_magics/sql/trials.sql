-- The tries, and the parents' prompts run on their narratives: over a dataset's content, or over any.
SELECT e.id
FROM experiments AS e
JOIN datasets AS d ON d.id = e.dataset_id
WHERE json_extract(e.settings, '$.trial')
  AND (:sha256 IS NULL OR d.sha256 = :sha256)
ORDER BY e.id;
