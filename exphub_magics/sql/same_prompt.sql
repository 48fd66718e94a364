-- Other names under which this experiment's prompt was run.
SELECT DISTINCT other.name
FROM experiments AS this
JOIN experiments AS other ON other.prompt_id = this.prompt_id AND other.name <> this.name
WHERE this.id = :experiment
ORDER BY other.name;
