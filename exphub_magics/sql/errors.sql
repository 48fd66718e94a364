-- The narratives that an experiment flags otherwise than the coders, with their texts; the surest first.
SELECT v.narrative_id, v.source, CASE v.outcome WHEN 'fp' THEN 'false positive' ELSE 'false negative' END AS error,
       v.confidence, v.rational, a.narrative_text
FROM verdicts AS v
JOIN asked AS a ON a.experiment_id = v.experiment_id AND a.narrative_id = v.narrative_id
WHERE v.experiment_id = :experiment AND v.outcome IN ('fp', 'fn')
ORDER BY error, v.confidence DESC, v.narrative_id;
