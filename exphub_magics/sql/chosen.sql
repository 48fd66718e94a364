-- The narratives of an experiment that a selection leaves, in its order: their positions as one JSON list.
SELECT json_group_array(position) AS positions
FROM (
  SELECT n.id AS position
  FROM experiments AS e
  JOIN narratives AS n ON n.dataset_id = e.dataset_id
  LEFT JOIN results AS r ON r.experiment_id = e.id AND r.narrative_id = n.narrative_id
  WHERE e.id = :experiment
    AND (
      NOT EXISTS (SELECT 1 FROM selected WHERE experiment_id = :experiment)
      OR EXISTS (SELECT 1 FROM selected AS s WHERE s.experiment_id = :experiment AND s.narrative_id = n.narrative_id)
    )
    AND (:source IS NULL OR coalesce(n.source, '') = :source)
    AND (:states IS NULL OR coalesce(r.status, 'pending') IN (SELECT value FROM json_each(:states)))
    AND (:low IS NULL OR r.confidence BETWEEN :low AND :high)
    AND (
      :flips IS NULL
      OR r.is_false_positive IS NOT NULL
      AND (:flips = 'any' OR (:flips = 'wrong') = (r.is_false_positive OR r.is_false_negative))
      AND EXISTS (  -- the other one answered otherwise, about the same text
        SELECT 1
        FROM results AS o
        JOIN experiments AS oe ON oe.id = o.experiment_id
        JOIN narratives AS m ON m.dataset_id = oe.dataset_id AND m.narrative_id = o.narrative_id
        WHERE o.experiment_id = :against AND o.narrative_id = n.narrative_id AND o.flag <> r.flag
          AND (m.id = n.id OR m.narrative_text = n.narrative_text)
      )
    )
    -- The two is_ columns spare the truth of the whole dataset, which is worked out for a missing answer alone.
    AND (
      :cells IS NULL
      OR CASE
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
      END IN (SELECT value FROM json_each(:cells))
    )
    AND (
      :pattern IS NULL
      OR n.narrative_text LIKE :pattern ESCAPE '\' AND (:exactly IS NULL OR n.narrative_text GLOB :exactly)
      OR r.rational LIKE :pattern ESCAPE '\' AND (:exactly IS NULL OR r.rational GLOB :exactly)
    )
  ORDER BY CASE :ordered WHEN 'surest' THEN -r.confidence WHEN 'doubtful' THEN r.confidence END NULLS LAST, n.id
);
