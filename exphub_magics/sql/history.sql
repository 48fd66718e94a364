-- What a model's latest replies took, of those asked for with this reasoning effort; each reply once.
SELECT count(*) AS replies, coalesce(sum(characters), 0) AS characters,
       coalesce(sum(prompt_tokens), 0) AS prompt_tokens, coalesce(sum(completion_tokens), 0) AS completion_tokens
FROM (
  SELECT DISTINCT p.request_hash, p.prompt_tokens, p.completion_tokens,
         length(q.prompt_text) + length(n.narrative_text) AS characters
  FROM experiments AS e  -- joined crosswise, so that SQLite begins with the latest and ends with the last it needs
  CROSS JOIN models AS m ON m.id = e.model_id
  CROSS JOIN prompts AS q ON q.id = e.prompt_id
  CROSS JOIN results AS r ON r.experiment_id = e.id
  CROSS JOIN responses AS p ON p.request_hash = r.request_hash
  CROSS JOIN narratives AS n ON n.dataset_id = e.dataset_id AND n.narrative_id = r.narrative_id
  WHERE m.model_name = :model_name AND m.provider = :provider
    AND json_extract(e.settings, '$.reasoning_effort') IS :reasoning_effort
    AND r.attempts IS NOT NULL AND p.prompt_tokens IS NOT NULL AND p.completion_tokens IS NOT NULL
  ORDER BY e.id DESC
  LIMIT :most
);
