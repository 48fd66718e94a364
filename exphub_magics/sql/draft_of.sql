-- The prompt that is being written under a name.
SELECT prompt_text, written_at FROM drafts WHERE name = :name;
