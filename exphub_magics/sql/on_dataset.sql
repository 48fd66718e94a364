-- The experiments that ask about a dataset.
SELECT id FROM experiments WHERE dataset_id = :dataset ORDER BY id;
