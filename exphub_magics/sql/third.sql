-- Work in the notebook's panels: reviewers who are not sure, and prompts that are being written.

ALTER TABLE labels ADD COLUMN unsure BOOLEAN NOT NULL DEFAULT 0;  -- looked at, and left undecided; the flag is null then
ALTER TABLE labels ADD COLUMN experiment_id INTEGER REFERENCES experiments (id);  -- whose review it was said in
ALTER TABLE labels ADD COLUMN blind BOOLEAN NOT NULL DEFAULT 0;  -- said before the model's flag and other coders' were seen
ALTER TABLE labels ADD COLUMN undoes INTEGER REFERENCES labels (id);  -- the row that this one takes back
CREATE INDEX labels_by_coder ON labels (dataset_id, coder, experiment_id);

CREATE TABLE drafts (  -- a prompt that is being written in the studio: its latest state, one a name
  name TEXT PRIMARY KEY,
  prompt_text TEXT NOT NULL,
  written_at TIMESTAMP NOT NULL
);

CREATE TABLE rounds (  -- answers that are asked for anew, so that a round that was cut short goes on where it was
  id INTEGER PRIMARY KEY,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  states TEXT NOT NULL,  -- JSON: the states of the results that are asked for anew
  began_at TIMESTAMP NOT NULL,  -- what was recorded before is asked for anew
  ended_at TIMESTAMP
);
CREATE INDEX rounds_of_experiments ON rounds (experiment_id);

DROP VIEW latest_labels;
CREATE VIEW latest_labels AS  -- each coder's last word on each narrative
SELECT l.dataset_id, l.narrative_id, l.coder, l.flag, l.note, l.labelled_at, l.unsure, l.experiment_id, l.blind, l.id
FROM labels AS l
WHERE NOT EXISTS (
  SELECT 1 FROM labels AS later
  WHERE later.dataset_id = l.dataset_id AND later.narrative_id = l.narrative_id
    AND later.coder = l.coder AND later.id > l.id
);
