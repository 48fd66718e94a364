-- What a list shows of these narratives, in the order in which they are named; the beginnings of texts, never all.
SELECT n.id AS position, n.narrative_id, n.source, r.flag, coalesce(r.status, 'pending') AS status,
       r.confidence, r.p_true, substr(coalesce(r.rational, r.error), 1, :characters) AS beginning, o.flag AS other,
       CASE
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
       END AS cell
FROM json_each(:positions) AS p
JOIN narratives AS n ON n.id = p.value
LEFT JOIN results AS r ON r.experiment_id = :experiment AND r.narrative_id = n.narrative_id
LEFT JOIN results AS o ON o.experiment_id = :against AND o.narrative_id = n.narrative_id
  AND EXISTS (
    SELECT 1
    FROM experiments AS oe
    JOIN narratives AS m ON m.dataset_id = oe.dataset_id AND m.narrative_id = n.narrative_id
    WHERE oe.id = :against AND (m.id = n.id OR m.narrative_text = n.narrative_text)
  )
ORDER BY p.key;
