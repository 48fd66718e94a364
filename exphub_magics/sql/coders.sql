-- Everybody who has said anything of a dataset's narratives.
SELECT DISTINCT coder FROM labels WHERE dataset_id = :dataset ORDER BY coder;
