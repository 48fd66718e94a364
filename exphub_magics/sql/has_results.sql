-- How many of these narratives have a result in an experiment, whatever it is.
SELECT count(*) AS n
FROM results
WHERE experiment_id = :experiment AND narrative_id IN (SELECT value FROM json_each(:narratives));
