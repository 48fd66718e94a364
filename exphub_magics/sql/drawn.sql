-- The narratives of a stratified sample as it was drawn first, or by the experiment of this fingerprint itself: a draw
-- follows the labels, and one that is made anew after some were corrected would be another.
SELECT s.narrative_id
FROM selected AS s
WHERE s.experiment_id = (
  SELECT e.id
  FROM experiments AS e
  JOIN datasets AS d ON d.id = e.dataset_id
  WHERE d.sha256 = :sha256
    AND json_extract(e.settings, '$.stratified')
    AND json_extract(e.settings, '$.sample') = :sample
    AND coalesce(json_extract(e.settings, '$.seed'), 0) = :seed
  ORDER BY e.fingerprint = :fingerprint DESC, e.id
  LIMIT 1
)
ORDER BY s.narrative_id;
