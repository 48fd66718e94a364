-- Work in the notebook's panels: reviewers who are not sure, and prompts that are being written.

ALTER TABLE labels ADD COLUMN unsure BOOLEAN NOT NULL DEFAULT 0;  -- looked at, and left undecided; the flag is null then

CREATE TABLE drafts (  -- a prompt that is being written in the studio: its latest state, one a name
  name TEXT PRIMARY KEY,
  prompt_text TEXT NOT NULL,
  written_at TIMESTAMP NOT NULL
);

DROP VIEW latest_labels;
CREATE VIEW latest_labels AS  -- each coder's last word on each narrative
SELECT l.dataset_id, l.narrative_id, l.coder, l.flag, l.note, l.labelled_at, l.unsure
FROM labels AS l
WHERE NOT EXISTS (
  SELECT 1 FROM labels AS later
  WHERE later.dataset_id = l.dataset_id AND later.narrative_id = l.narrative_id
    AND later.coder = l.coder AND later.id > l.id
);
