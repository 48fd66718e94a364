-- How the form of the answer was asked for in an experiment's replies.
SELECT DISTINCT p.answer_format
FROM results AS r
JOIN responses AS p ON p.request_hash = r.request_hash
WHERE r.experiment_id = :experiment AND p.answer_format IS NOT NULL
ORDER BY p.answer_format;
