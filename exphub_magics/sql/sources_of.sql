-- The sources of an experiment's dataset, the commonest first; the empty one stands for none.
SELECT coalesce(n.source, '') AS source, count(*) AS n
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id
WHERE e.id = :experiment
GROUP BY 1
ORDER BY n DESC, 1
LIMIT :most;
