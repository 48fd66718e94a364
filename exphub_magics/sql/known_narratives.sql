-- Those of these narratives that a dataset has.
SELECT n.narrative_id
FROM json_each(:narratives) AS j
CROSS JOIN narratives AS n
WHERE n.dataset_id = :dataset AND n.narrative_id = j.value;
