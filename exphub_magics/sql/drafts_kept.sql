-- The drafts of some names and what was put aside from them, the latest first.
SELECT d.name, d.prompt_text, d.written_at
FROM drafts AS d
WHERE EXISTS (
  SELECT 1
  FROM json_each(:names) AS n
  WHERE d.name = n.value OR substr(d.name, 1, length(n.value) + length(:kept)) = n.value || :kept
)
ORDER BY d.written_at DESC, d.name
LIMIT :most;
