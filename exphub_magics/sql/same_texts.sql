-- The narratives that stand in both datasets with the same id and the same text.
SELECT a.narrative_id
FROM narratives AS a
JOIN narratives AS b ON b.narrative_id = a.narrative_id AND b.narrative_text = a.narrative_text
WHERE a.dataset_id = :first AND b.dataset_id = :second;
