-- How many narratives of an experiment meet where: the manual flag with the model's, and the state of the answer.
SELECT CASE
         WHEN r.is_false_positive THEN 'fp'
         WHEN r.is_false_negative THEN 'fn'
         WHEN r.is_false_positive IS NOT NULL THEN iif(r.flag, 'tp', 'tn')
         WHEN r.flag IS NOT NULL THEN iif(r.flag, 'unlabelled_flagged', 'unlabelled_not')
         ELSE coalesce(
           (
             SELECT iif(t.flag, 'no_answer_yes', 'no_answer_no') FROM truth AS t
             WHERE t.dataset_id = n.dataset_id AND t.narrative_id = n.narrative_id AND t.flag IS NOT NULL
           ),
           'unlabelled_no_answer'
         )
       END AS cell,
       coalesce(r.status, 'pending') AS status,
       count(*) AS n
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id
LEFT JOIN results AS r ON r.experiment_id = e.id AND r.narrative_id = n.narrative_id
WHERE e.id = :experiment
  AND (
    NOT EXISTS (SELECT 1 FROM selected WHERE experiment_id = :experiment)
    OR EXISTS (SELECT 1 FROM selected AS s WHERE s.experiment_id = :experiment AND s.narrative_id = n.narrative_id)
  )
GROUP BY 1, 2;
