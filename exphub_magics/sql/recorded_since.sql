-- The narratives whose results were recorded at a moment or after it.
SELECT narrative_id FROM results WHERE experiment_id = :experiment AND recorded_at >= :moment;
