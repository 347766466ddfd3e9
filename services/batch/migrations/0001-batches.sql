-- Scores of whole batches, and which batch is what a slot shows.

CREATE TABLE batches (
  batch_id text PRIMARY KEY,
  slot text NOT NULL,
  model_name text NOT NULL,
  model_version text NOT NULL,
  input_sha256 text NOT NULL,
  rows_in bigint NOT NULL,
  scored bigint NOT NULL,
  rejected bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('loading', 'loaded')),
  created_at timestamptz NOT NULL DEFAULT now(),
  loaded_at timestamptz
);

CREATE TABLE batch_scores (
  batch_id text NOT NULL REFERENCES batches,
  player_id text NOT NULL,
  as_of timestamptz NOT NULL,
  market text,
  score double precision NOT NULL,
  band text NOT NULL,
  model_name text NOT NULL,
  model_version text NOT NULL,
  source text NOT NULL,
  row_number bigint NOT NULL,
  PRIMARY KEY (batch_id, player_id, as_of)
);

-- One row for each slot: moving it is the switch, and the batch before stays to be switched back to.
CREATE TABLE published_batches (
  slot text PRIMARY KEY,
  batch_id text NOT NULL REFERENCES batches,
  published_at timestamptz NOT NULL DEFAULT now()
);

CREATE VIEW published_scores AS
SELECT slot, batch_scores.*
FROM published_batches
JOIN batch_scores USING (batch_id);
