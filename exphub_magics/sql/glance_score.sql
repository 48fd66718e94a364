-- How far one experiment has come and its F1, from the index results_to_score alone.
SELECT count(flag) AS answered,
       2.0 * sum(flag AND NOT is_false_positive)
         / nullif(2 * sum(flag AND NOT is_false_positive) + sum(is_false_positive) + sum(is_false_negative), 0) AS f1
FROM results INDEXED BY results_to_score
WHERE experiment_id = :experiment;
