-- Long runs against real endpoints: who runs what, what was sent and paid, earlier readings of a reply; and aliases.

CREATE TABLE leases (  -- who runs an experiment at this moment; a row goes when its run ends
  experiment_id INTEGER PRIMARY KEY REFERENCES experiments (id),
  token TEXT NOT NULL,  -- a random one: who holds it holds the lease
  author TEXT,
  machine TEXT NOT NULL,  -- a hash of it
  boot TEXT NOT NULL,  -- a hash of its last start; empty where it does not name it
  process INTEGER NOT NULL,
  process_started REAL NOT NULL,  -- seconds after that start: a process number may be used again
  taken_at TIMESTAMP NOT NULL,
  beat INTEGER NOT NULL DEFAULT 0,  -- counts up while the run lives
  beaten_at TIMESTAMP NOT NULL
);

CREATE TABLE endpoints (  -- what each endpoint was found to take, so that it is found out once
  id INTEGER PRIMARY KEY,
  provider TEXT NOT NULL,
  base_url TEXT NOT NULL,
  model_name TEXT NOT NULL,
  form TEXT NOT NULL,  -- JSON: how the form of the answer is asked for
  learnt_at TIMESTAMP NOT NULL,
  UNIQUE (provider, base_url, model_name)
);

CREATE TABLE readings (  -- what a reply was read as before it was read anew; appended
  id INTEGER PRIMARY KEY,
  experiment_id INTEGER NOT NULL REFERENCES experiments (id),
  narrative_id TEXT NOT NULL,
  rational TEXT,
  flag BOOLEAN,
  reasoning_steps TEXT,
  status TEXT NOT NULL,
  confidence REAL,
  p_true REAL,
  request_hash TEXT REFERENCES responses (request_hash),
  error TEXT,
  attempts INTEGER,
  reader TEXT,
  recorded_at TIMESTAMP NOT NULL,
  replaced_at TIMESTAMP NOT NULL
);
CREATE INDEX readings_by_narrative ON readings (experiment_id, narrative_id);

CREATE TABLE aliases (  -- words that stand for an experiment; each move is appended, and the latest counts
  id INTEGER PRIMARY KEY,
  alias TEXT NOT NULL,
  experiment_id INTEGER REFERENCES experiments (id),  -- null where the alias was taken back
  author TEXT,
  why TEXT,
  moved_at TIMESTAMP NOT NULL
);
CREATE INDEX aliases_in_order ON aliases (alias, id);

ALTER TABLE responses ADD COLUMN parameters TEXT;  -- JSON: what was sent beside the model and the messages
ALTER TABLE responses ADD COLUMN p_true REAL;  -- P(true) of the flag, from its token's logprobs
ALTER TABLE responses ADD COLUMN written_tokens INTEGER;  -- of the prompt, which the provider keeps for later calls
ALTER TABLE responses ADD COLUMN cost REAL;  -- USD by the prices of the day; null where none is known

ALTER TABLE results ADD COLUMN p_true REAL;  -- beside the stated confidence: P(true) of the flag by its logprobs
CREATE INDEX results_by_request ON results (request_hash);
CREATE INDEX results_to_score ON results (experiment_id, flag, is_false_positive, is_false_negative);
CREATE INDEX narratives_in_order ON narratives (dataset_id);

DROP VIEW verdicts;
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
       r.confidence, r.p_true, r.rational, r.reasoning_steps, r.error, r.request_hash
FROM asked AS a
LEFT JOIN results AS r ON r.experiment_id = a.experiment_id AND r.narrative_id = a.narrative_id
LEFT JOIN truth AS t ON t.dataset_id = a.dataset_id AND t.narrative_id = a.narrative_id;

CREATE VIEW spending AS  -- what each experiment asked and paid for itself; what was known already costs nothing
SELECT e.id AS experiment_id,
       count(p.request_hash) AS replies,
       coalesce(sum(p.attempts), 0) AS requests,
       coalesce(sum(p.prompt_tokens), 0) AS prompt_tokens,
       coalesce(sum(p.cached_tokens), 0) AS cached_tokens,
       coalesce(sum(p.completion_tokens), 0) AS completion_tokens,
       coalesce(sum(p.reasoning_tokens), 0) AS reasoning_tokens,
       coalesce(sum(p.cost), 0) AS cost,
       coalesce(sum(p.request_hash IS NOT NULL AND p.cost IS NULL), 0) AS unpriced
FROM experiments AS e
LEFT JOIN (SELECT DISTINCT experiment_id, request_hash FROM results WHERE attempts IS NOT NULL) AS r
  ON r.experiment_id = e.id
LEFT JOIN responses AS p ON p.request_hash = r.request_hash
GROUP BY e.id;
