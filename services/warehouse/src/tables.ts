// Does the warehouse have its tables?
import { migrate, readMigrations, type Database } from '@churnstream/sinks'

/** Named in full: the schema of a role's own name comes first, once it is there. */
const migrationsTable = 'public.warehouse_migrations'

/** @returns the names of the migrations applied now */
export const makeTables = (database: Database): Promise<string[]> =>
  migrate(database, readMigrations(new URL('../migrations/', import.meta.url)), migrationsTable)
