-- Who served an experiment's replies: each model and fingerprint, on how many narratives, and the first and the last
-- of its replies by the order in which they came.
SELECT p.served_model, p.system_fingerprint, count(*) AS narratives, min(p.rowid) AS first, max(p.rowid) AS last
FROM results AS r
JOIN responses AS p ON p.request_hash = r.request_hash
WHERE r.experiment_id = :experiment
GROUP BY p.served_model, p.system_fingerprint;
