CREATE VIEW asked AS  -- the narratives of each experiment: the drawn sample's, else all of its dataset's
SELECT e.id AS experiment_id, n.id AS position, n.dataset_id, n.narrative_id, n.incident_id, n.source,
       n.narrative_text, n.facts, n.placeholder
FROM experiments AS e
JOIN narratives AS n ON n.dataset_id = e.dataset_id
WHERE NOT EXISTS (SELECT 1 FROM selected AS s WHERE s.experiment_id = e.id)
UNION ALL
SELECT e.id, n.id, n.dataset_id, n.narrative_id, n.incident_id, n.source, n.narrative_text, n.facts, n.placeholder
FROM experiments AS e
JOIN selected AS s ON s.experiment_id = e.id
JOIN narratives AS n ON n.dataset_id = e.dataset_id AND n.narrative_id = s.narrative_id;

CREATE VIEW latest_labels AS  -- each coder's last word on each narrative
SELECT l.dataset_id, l.narrative_id, l.coder, l.flag, l.note, l.labelled_at
FROM labels AS l
WHERE NOT EXISTS (
  SELECT 1 FROM labels AS later
  WHERE later.dataset_id = l.dataset_id AND later.narrative_id = l.narrative_id
    AND later.coder = l.coder AND later.id > l.id
);

CREATE VIEW truth AS  -- the adjudicated flag, else the one that all coders agree on, else null
SELECT dataset_id, narrative_id,
       CASE
         WHEN max(CASE WHEN coder = 'adjudicated' THEN flag END) IS NOT NULL
           THEN max(CASE WHEN coder = 'adjudicated' THEN flag END)
         WHEN min(flag) = max(flag) THEN min(flag)
       END AS flag,
       count(*) AS coders
FROM latest_labels
GROUP BY dataset_id, narrative_id;

CREATE VIEW verdicts AS  -- each result beside the manual flag
SELECT r.id, a.experiment_id, a.narrative_id, a.incident_id, a.source, r.status, r.flag, t.flag AS manual_flag,
       CASE
         WHEN r.id IS NULL THEN 'pending'
         WHEN r.flag IS NULL THEN 'no answer'
         WHEN t.flag IS NULL THEN 'unlabelled'
         WHEN r.flag AND t.flag THEN 'tp'
         WHEN r.flag THEN 'fp'
         WHEN t.flag THEN 'fn'
         ELSE 'tn'
       END AS outcome,
       r.confidence, r.rational, r.reasoning_steps, r.error, r.request_hash
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
LEFT JOIN truth AS t ON t.dataset_id = a.dataset_id AND t.narrative_id = a.narrative_id;

CREATE VIEW confusion AS  -- counts per experiment; each family adds up to total
SELECT a.experiment_id,
       count(*) AS total,
       coalesce(sum(r.flag), 0) AS positives,
       coalesce(sum(NOT r.flag), 0) AS negatives,
       coalesce(sum(r.flag AND t.flag), 0) AS tp,
       coalesce(sum(r.flag AND NOT t.flag), 0) AS fp,
       coalesce(sum(NOT r.flag AND t.flag), 0) AS fn,
       coalesce(sum(NOT r.flag AND NOT t.flag), 0) AS tn,
       coalesce(sum(r.status = 'ok'), 0) AS ok,
       coalesce(sum(r.status = 'salvaged'), 0) AS salvaged,
       coalesce(sum(r.status = 'refused'), 0) AS refused,
       coalesce(sum(r.status = 'not_evaluable'), 0) AS not_evaluable,
       coalesce(sum(r.status = 'failed'), 0) AS failed,
       sum(r.id IS NULL) AS pending,
       sum(t.flag IS NOT NULL) AS labelled,
       sum(t.flag IS NULL) AS unlabelled
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
LEFT JOIN truth AS t ON t.dataset_id = a.dataset_id AND t.narrative_id = a.narrative_id
GROUP BY a.experiment_id;
