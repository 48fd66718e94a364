-- An experiment's rounds of asking these states anew that have not come to their end, the latest first.
SELECT id, began_at FROM rounds
WHERE experiment_id = :experiment AND states = :states AND ended_at IS NULL
ORDER BY id DESC;
