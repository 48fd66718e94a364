-- The dataset that an experiment asks about.
SELECT dataset_id FROM experiments WHERE id = :experiment;
