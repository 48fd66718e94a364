-- What an experiment's replies cost in tokens and time, each reply once.
SELECT count(*) AS replies, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       sum(seconds) AS seconds, sum(attempts) AS attempts, group_concat(DISTINCT served_model) AS served_models,
       group_concat(DISTINCT answer_format) AS answer_formats
FROM responses
WHERE request_hash IN (SELECT request_hash FROM results WHERE experiment_id = :experiment);
