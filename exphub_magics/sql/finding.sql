-- One narrative of an experiment with its text, its result and the reply that this was read from.
SELECT n.id AS position, n.dataset_id, n.narrative_id, n.incident_id, n.source, n.narrative_text, n.facts, n.placeholder,
       coalesce(r.status, 'pending') AS status, r.flag, r.confidence, r.p_true, r.rational, r.reasoning_steps, r.error,
       p.body, p.reasoning, p.refusal, p.finish_reason, p.served_model, p.answer_format
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id AND n.narrative_id = :narrative
LEFT JOIN results AS r ON r.experiment_id = e.id AND r.narrative_id = n.narrative_id
LEFT JOIN responses AS p ON p.request_hash = r.request_hash
WHERE e.id = :experiment
  AND (
    NOT EXISTS (SELECT 1 FROM selected WHERE experiment_id = :experiment)
    OR EXISTS (SELECT 1 FROM selected AS s WHERE s.experiment_id = :experiment AND s.narrative_id = n.narrative_id)
  );
