-- Who runs an experiment at this moment.
SELECT token, author, machine, boot, process, process_started, taken_at, beat, beaten_at
FROM leases
WHERE experiment_id = :experiment;
