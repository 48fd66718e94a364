-- The manual flags of a dataset's narratives from one id to another; bound ids are looked up by the labels' index.
SELECT narrative_id, flag FROM truth WHERE dataset_id = :dataset AND narrative_id BETWEEN :first AND :last;
