-- One experiment's record: its row with prompt, model and dataset.
SELECT e.*, p.prompt_text, p.prompt_hash, m.model_name, m.provider, d.name AS dataset, d.sha256 AS dataset_sha256
FROM experiments AS e
JOIN prompts AS p ON p.id = e.prompt_id
JOIN models AS m ON m.id = e.model_id
JOIN datasets AS d ON d.id = e.dataset_id
WHERE e.id = :experiment;
