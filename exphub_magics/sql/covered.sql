-- How many of an experiment's narratives it asks about, and how many of these have a result in another one.
SELECT count(*) AS asked, count(r.id) AS covered
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = :reference AND r.narrative_id = a.narrative_id
WHERE a.experiment_id = :experiment;
