-- What may each role do with the tables of batches? Everybody else, nothing.
GRANT SELECT, INSERT ON batch_scores TO batch_writer;
GRANT SELECT, INSERT, UPDATE ON batches, published_batches TO batch_writer;
GRANT SELECT ON published_scores, batch_migrations TO batch_writer;
GRANT SELECT ON published_scores TO reader;
GRANT SELECT ON batches, batch_scores, published_batches, published_scores TO auditor;
GRANT SELECT, DELETE ON batch_scores TO eraser;
