-- A coder's last word on each narrative of a dataset that they have said anything of, in the order of saying it.
SELECT narrative_id, flag, unsure, note, labelled_at, experiment_id, blind
FROM latest_labels
WHERE dataset_id = :dataset AND coder = :coder
ORDER BY id;
