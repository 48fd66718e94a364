-- One narrative's text, the manual flag, and what an experiment says of it.
SELECT n.narrative_id, n.source, n.narrative_text, t.flag AS manual_flag,
       r.status, r.flag, r.confidence, r.rational, r.reasoning_steps, r.error
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id AND n.narrative_id = :narrative
LEFT JOIN results AS r ON r.experiment_id = e.id AND r.narrative_id = n.narrative_id
LEFT JOIN truth AS t ON t.dataset_id = n.dataset_id AND t.narrative_id = n.narrative_id
WHERE e.id = :experiment;
