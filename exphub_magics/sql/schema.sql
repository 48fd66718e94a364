-- The hub: what was asked, of whom, about which narratives, and what was answered.
-- Facts are appended; the summary columns of experiments and the two is_ columns of results
-- are a cache of the views, rebuilt by score.sql.

CREATE TABLE prompts (  -- what was asked; a text is kept once and never edited
  id INTEGER PRIMARY KEY,
  prompt_text TEXT NOT NULL,
  prompt_hash TEXT NOT NULL UNIQUE  -- sha256 of the text
);

CREATE TABLE models (  -- who was asked
  id INTEGER PRIMARY KEY,
  model_name TEXT NOT NULL,
  provider TEXT NOT NULL,
  UNIQUE (model_name, provider)
);

CREATE TABLE datasets (  -- what was read, by content: a corrected label makes no new dataset, a corrected text does
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,  -- a file's name without its folder, a frame's, or sample
  sha256 TEXT NOT NULL UNIQUE,
  columns TEXT NOT NULL,  -- JSON: which column was taken for what
  profile TEXT NOT NULL,  -- JSON: counts and warnings when it was first read
  restricted BOOLEAN NOT NULL DEFAULT 0,  -- not to be sent beyond this machine
  read_at TIMESTAMP NOT NULL
);

CREATE TABLE narratives (  -- every text in full, once in the hub
  id INTEGER PRIMARY KEY,
  dataset_id INTEGER NOT NULL REFERENCES datasets (id),
  narrative_id TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  source TEXT,
  narrative_text TEXT NOT NULL,
  facts TEXT NOT NULL,  -- JSON: the file's other columns; never a label
  placeholder TEXT,  -- why there is nothing to evaluate, by the declared rule; such a text is never sent
  UNIQUE (dataset_id, narrative_id)
);

CREATE TABLE labels (  -- the flags that people gave to narratives; appended, never overwritten
  id INTEGER PRIMARY KEY,
  dataset_id INTEGER NOT NULL,
  narrative_id TEXT NOT NULL,
  coder TEXT NOT NULL,  -- manual: from the file; adjudicated: settles a disagreement
  flag BOOLEAN,
  note TEXT,
  labelled_at TIMESTAMP NOT NULL,
  FOREIGN KEY (dataset_id, narrative_id) REFERENCES narratives (dataset_id, narrative_id)
);
CREATE INDEX labels_by_narrative ON labels (dataset_id, narrative_id, coder);

CREATE TABLE incident_labels (  -- the flags that people gave to whole incidents; appended, never overwritten
  id INTEGER PRIMARY KEY,
  dataset_id INTEGER NOT NULL REFERENCES datasets (id),
  incident_id TEXT NOT NULL,
  coder TEXT NOT NULL,
  flag BOOLEAN,
  note TEXT,
  labelled_at TIMESTAMP NOT NULL
);
CREATE INDEX incident_labels_by_incident ON incident_labels (dataset_id, incident_id, coder);

CREATE TABLE experiments (  -- one prompt put to one model over one dataset, once; end_time is null until it is finished
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  author TEXT,
  prompt_id INTEGER NOT NULL REFERENCES prompts (id),
  model_id INTEGER NOT NULL REFERENCES models (id),
  start_time TIMESTAMP NOT NULL,
  end_time TIMESTAMP,
  total_narratives INTEGER,
  positives INTEGER,
  negatives INTEGER,
  false_positives INTEGER,
  false_negatives INTEGER,
  percent_overlap REAL,  -- 100 (TP + TN) / (TP + FP + FN + TN); null where nothing is both labelled and answered
  dataset_id INTEGER NOT NULL REFERENCES datasets (id),
  settings TEXT NOT NULL,  -- JSON: what else decides the answers
  environment TEXT NOT NULL,  -- JSON: commit, packages, Python, platform; no person, key or path
  fingerprint TEXT NOT NULL UNIQUE,
  notes TEXT
);
CREATE INDEX experiments_by_name ON experiments (name);

CREATE TABLE selected (  -- the narratives of an experiment that asks a drawn sample; none stand here where all are asked
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  narrative_id TEXT NOT NULL,
  PRIMARY KEY (experiment_id, narrative_id)
) WITHOUT ROWID;

CREATE TABLE responses (  -- every reply, verbatim: asked once, read for ever
  request_hash TEXT PRIMARY KEY,  -- sha256 of the question and of the how-manieth asking this is
  question_hash TEXT NOT NULL,  -- sha256 of model, endpoint, settings and messages
  asking INTEGER NOT NULL DEFAULT 0,
  body TEXT NOT NULL,
  reasoning TEXT,
  refusal TEXT,
  finish_reason TEXT,
  served_model TEXT,  -- as the endpoint names it, last path component
  system_fingerprint TEXT,
  answer_format TEXT,  -- schema, json, text or direct: how the form of the answer was asked for
  prompt_tokens INTEGER,
  cached_tokens INTEGER,
  completion_tokens INTEGER,
  reasoning_tokens INTEGER,
  seconds REAL,
  attempts INTEGER NOT NULL DEFAULT 1,
  received_at TIMESTAMP NOT NULL
);
CREATE INDEX responses_by_question ON responses (question_hash, asking);

CREATE TABLE results (  -- what each experiment says of each narrative
  id INTEGER PRIMARY KEY,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  narrative_id TEXT NOT NULL,
  rational TEXT,
  flag BOOLEAN,
  reasoning_steps TEXT,  -- JSON: a list of sentences
  is_false_positive BOOLEAN,
  is_false_negative BOOLEAN,
  status TEXT NOT NULL CHECK (status IN ('ok', 'salvaged', 'refused', 'not_evaluable', 'failed')),
  confidence REAL,  -- as stated: certainty of the decision, 0 to 1
  request_hash TEXT REFERENCES responses (request_hash),
  error TEXT,  -- why the status is not ok
  attempts INTEGER,  -- requests sent for it; none where the reply was known or the narrative is not sent
  reader TEXT,  -- version of the rules that read the reply
  recorded_at TIMESTAMP NOT NULL,
  UNIQUE (experiment_id, narrative_id),
  CHECK (flag IS NULL OR status IN ('ok', 'salvaged'))
);
