-- The latest experiments and one that is wanted whatever its age, the newest first, with what their points come from.
WITH numbered AS (
  SELECT id, row_number() OVER (PARTITION BY name ORDER BY id) AS version, count(*) OVER () AS experiments
  FROM experiments
),
shown AS (SELECT * FROM numbered ORDER BY id = :experiment DESC, id DESC LIMIT :most)
SELECT e.id, e.name, s.version, s.experiments, m.provider, m.model_name, d.name AS dataset, e.total_narratives,
       coalesce(sum(r.flag IS NOT NULL), 0) AS answered,
       coalesce(sum(r.flag AND NOT r.is_false_positive), 0) AS tp,
       coalesce(sum(r.is_false_positive), 0) AS fp,
       coalesce(sum(r.is_false_negative), 0) AS fn
FROM shown AS s
JOIN experiments AS e ON e.id = s.id
JOIN models AS m ON m.id = e.model_id
JOIN datasets AS d ON d.id = e.dataset_id
LEFT JOIN results AS r INDEXED BY results_to_score ON r.experiment_id = e.id
GROUP BY e.id
ORDER BY e.id DESC;
