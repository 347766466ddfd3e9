-- Who may do what in the database of scores? Run by an admin, again whenever it changes:
--   psql "$ADMIN_URL/churnstream" -f services/sinks/roles.sql
-- Passwords are set apart from this file: ALTER ROLE sink_writer PASSWORD '…'. What each role may do
-- with each table is granted by `npm run migrate`, as the role migrator.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY
    ARRAY['migrator', 'sink_writer', 'batch_writer', 'reader', 'auditor', 'eraser']
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', name);
    END IF;
    EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
    EXECUTE format('ALTER ROLE %I SET search_path = public', name);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', name);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

-- Who could make tables in public could put one before another's.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO migrator;

-- A statement that waits for a lock in front of others must give up before they do.
ALTER ROLE migrator SET lock_timeout = '30s';
ALTER ROLE sink_writer SET lock_timeout = '5s';
ALTER ROLE sink_writer SET statement_timeout = '30s';
ALTER ROLE batch_writer SET lock_timeout = '10s';
ALTER ROLE batch_writer SET statement_timeout = '5min';
ALTER ROLE reader SET statement_timeout = '60s';
ALTER ROLE reader SET default_transaction_read_only = on;
ALTER ROLE auditor SET statement_timeout = '10min';
ALTER ROLE auditor SET default_transaction_read_only = on;
ALTER ROLE eraser SET lock_timeout = '10s';
ALTER ROLE eraser SET statement_timeout = '5min';
