-- Every experiment with its seed columns, who answered, and its counts.
SELECT e.id, e.name, e.author, e.prompt_id, e.model_id, e.start_time, e.end_time, e.total_narratives,
       c.positives, c.negatives, c.fp AS false_positives, c.fn AS false_negatives,
       100.0 * (c.tp + c.tn) / nullif(c.tp + c.fp + c.fn + c.tn, 0) AS percent_overlap,
       row_number() OVER (PARTITION BY e.name ORDER BY e.id) AS version,
       CASE WHEN e.end_time IS NULL THEN 'unfinished' ELSE 'done' END AS state,
       m.model_name, m.provider, p.prompt_hash, d.name AS dataset, d.sha256 AS dataset_sha256, e.dataset_id,
       e.settings, e.fingerprint, e.notes,
       c.total, c.tp, c.fp, c.fn, c.tn, c.ok, c.salvaged, c.refused, c.not_evaluable, c.failed, c.pending,
       c.labelled, c.unlabelled
FROM experiments AS e
JOIN confusion AS c ON c.experiment_id = e.id
JOIN prompts AS p ON p.id = e.prompt_id
JOIN models AS m ON m.id = e.model_id
JOIN datasets AS d ON d.id = e.dataset_id
ORDER BY e.id;
