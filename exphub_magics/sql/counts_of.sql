-- An experiment's counts.
SELECT * FROM confusion WHERE experiment_id = :experiment;
