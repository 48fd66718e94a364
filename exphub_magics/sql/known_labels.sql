-- A coder's latest flags in a dataset.
SELECT narrative_id, flag FROM latest_labels WHERE dataset_id = :dataset AND coder = :coder;
