-- Rebuild the summary columns of one experiment from its results and the manual flags.
UPDATE experiments SET
  total_narratives = c.total,
  positives = c.positives,
  negatives = c.negatives,
  false_positives = c.fp,
  false_negatives = c.fn,
  percent_overlap = 100.0 * (c.tp + c.tn) / nullif(c.tp + c.fp + c.fn + c.tn, 0)
FROM confusion AS c
WHERE c.experiment_id = experiments.id AND experiments.id = :experiment;
