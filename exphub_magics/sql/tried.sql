-- One experiment in few figures: how far it is, right and wrong, and how many flags are newly so since another one.
SELECT e.start_time, e.end_time, e.total_narratives, e.settings, count(r.id) AS finished,
       coalesce(sum(r.flag AND NOT r.is_false_positive), 0) AS tp, coalesce(sum(r.is_false_positive), 0) AS fp,
       coalesce(sum(r.is_false_negative), 0) AS fn,
       sum((p.is_false_positive OR p.is_false_negative) AND NOT (r.is_false_positive OR r.is_false_negative)) AS newly_right,
       sum((r.is_false_positive OR r.is_false_negative) AND NOT (p.is_false_positive OR p.is_false_negative)) AS newly_wrong
FROM experiments AS e
LEFT JOIN results AS r ON r.experiment_id = e.id
LEFT JOIN results AS p ON p.experiment_id = :reference AND p.narrative_id = r.narrative_id
WHERE e.id = :experiment;
