-- Every score ever written, and which one is a player's latest.

-- The key is what caused the score, not where the score stands: a score that a replay of the
-- pipeline writes again has another offset and the same cause.
CREATE TABLE score_history (
  player_id text NOT NULL,
  market text NOT NULL,
  as_of timestamptz NOT NULL,
  score double precision NOT NULL,
  band text NOT NULL,
  model_name text NOT NULL,
  model_version text NOT NULL,
  model_epoch bigint NOT NULL,
  trigger text NOT NULL,
  cause_event_id text NOT NULL,
  cause_topic text NOT NULL,
  cause_partition integer NOT NULL,
  cause_offset bigint NOT NULL,
  vector_partition integer NOT NULL,
  vector_offset bigint NOT NULL,
  score_partition integer NOT NULL,
  score_offset bigint NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cause_topic, cause_partition, cause_offset, player_id)
);

CREATE INDEX score_history_latest ON score_history (player_id, as_of DESC, cause_offset DESC);

-- A view, not a maintained table: it cannot disagree with the history. A player's latest score is
-- the first entry of an index range. Listing all players reads the whole history (0.7 s for each
-- million rows), where a table kept up to date would take a seventh from the rate of inserts:
-- worth it once something lists all players often.
CREATE VIEW latest_scores AS
SELECT DISTINCT ON (player_id) *
FROM score_history
ORDER BY player_id, as_of DESC, cause_offset DESC;
