-- What an experiment asked and paid for itself.
SELECT replies, requests, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, cost, unpriced
FROM spending
WHERE experiment_id = :experiment;
