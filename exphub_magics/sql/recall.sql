-- The latest stored reply to each of these questions.
SELECT r.*
FROM json_each(:questions) AS q
JOIN responses AS r ON r.question_hash = q.value
WHERE r.asking = (SELECT max(asking) FROM responses WHERE question_hash = q.value);
