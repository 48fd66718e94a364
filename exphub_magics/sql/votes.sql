-- How many of the prompts that were put to a dataset's narratives answered each, and how many of these said yes: of
-- each experiment its latest version.
SELECT r.narrative_id, count(r.flag) AS answered, coalesce(sum(r.flag), 0) AS yes
FROM (SELECT max(id) AS id FROM experiments WHERE dataset_id = :dataset GROUP BY name) AS e
CROSS JOIN results AS r ON r.experiment_id = e.id
GROUP BY r.narrative_id
HAVING count(r.flag) > 0;
