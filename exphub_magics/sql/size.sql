-- How many narratives an experiment asks about; it does not change.
UPDATE experiments SET total_narratives = (SELECT count(*) FROM asked WHERE experiment_id = :experiment)
WHERE id = :experiment;
