-- What Kafka Connect writes, flat, each row with the record that it comes from.

CREATE SCHEMA warehouse;

CREATE TABLE warehouse.score_history (
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
  record_partition integer NOT NULL,
  record_offset bigint NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cause_topic, cause_partition, cause_offset, player_id)
);
CREATE INDEX score_history_of_player ON warehouse.score_history (player_id, as_of DESC);

CREATE TABLE warehouse.player_scores (LIKE warehouse.score_history INCLUDING DEFAULTS);
ALTER TABLE warehouse.player_scores ADD PRIMARY KEY (player_id);
CREATE INDEX player_scores_changed ON warehouse.player_scores (stored_at);

CREATE TABLE warehouse.model_history (
  model_name text NOT NULL,
  alias text NOT NULL,
  model_version text NOT NULL,
  artifact_location text NOT NULL,
  epoch bigint NOT NULL,
  origin text NOT NULL,
  record_partition integer NOT NULL,
  record_offset bigint NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (model_name, alias, epoch)
);

CREATE TABLE warehouse.model_aliases (
  alias_key text PRIMARY KEY,
  LIKE warehouse.model_history INCLUDING DEFAULTS
);

-- A worker that was killed writes records again from its last commit: a row that holds the newest
-- must not go back meanwhile.
CREATE FUNCTION warehouse.keep_newest_score() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.as_of, NEW.cause_offset) < (OLD.as_of, OLD.cause_offset) THEN RETURN NULL; END IF;
  NEW.stored_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER keep_newest BEFORE UPDATE ON warehouse.player_scores
  FOR EACH ROW EXECUTE FUNCTION warehouse.keep_newest_score();

CREATE FUNCTION warehouse.keep_newest_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.epoch < OLD.epoch THEN RETURN NULL; END IF;
  NEW.stored_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER keep_newest BEFORE UPDATE ON warehouse.model_aliases
  FOR EACH ROW EXECUTE FUNCTION warehouse.keep_newest_epoch();
