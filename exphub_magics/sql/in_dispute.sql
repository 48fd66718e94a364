-- The narratives of a dataset that coders differ on, with nobody having settled it.
SELECT narrative_id
FROM latest_labels
WHERE dataset_id = :dataset
GROUP BY narrative_id
HAVING min(CASE WHEN coder <> 'adjudicated' THEN flag END) < max(CASE WHEN coder <> 'adjudicated' THEN flag END)
  AND max(CASE WHEN coder = 'adjudicated' THEN flag END) IS NULL;
