-- Whether the hub holds any reply at all.
SELECT EXISTS (SELECT 1 FROM responses) AS holds;
