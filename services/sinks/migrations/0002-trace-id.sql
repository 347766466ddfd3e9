-- The trace of the sampled request that a score comes from, as in logs and headers; null for all others.
ALTER TABLE score_history ADD COLUMN trace_id text;
