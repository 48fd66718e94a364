-- The models that were asked, the latest first.
SELECT model_name, provider FROM models ORDER BY id DESC LIMIT :most;
