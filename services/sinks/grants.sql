-- What may each role do with the tables of the sinks? Everybody else, nothing.
GRANT SELECT, INSERT ON score_history TO sink_writer;
GRANT SELECT ON sinks_migrations TO sink_writer;
GRANT SELECT ON latest_scores TO reader;
GRANT SELECT ON score_history, latest_scores TO auditor;
GRANT SELECT, DELETE ON score_history TO eraser;
