-- What every experiment says of a narrative whose text is the same, the newest experiment first.
SELECT e.id, v.name, v.version, r.flag, r.status, r.confidence,
       substr(coalesce(r.rational, r.error), 1, :characters) AS beginning,
       count(*) OVER () AS opinions
FROM (SELECT id, name, row_number() OVER (PARTITION BY name ORDER BY id) AS version FROM experiments) AS v
JOIN experiments AS e ON e.id = v.id
JOIN narratives AS m ON m.dataset_id = e.dataset_id AND m.narrative_id = :narrative
JOIN results AS r ON r.experiment_id = e.id AND r.narrative_id = m.narrative_id
WHERE m.id = :position OR m.narrative_text = (SELECT narrative_text FROM narratives WHERE id = :position)
ORDER BY e.id DESC
LIMIT :most;
