// What do tests and batches need of the sinks? Their parts, without a broker.
export { databaseUrl } from './config.ts'
export { insertScores, toColumns, type ScoreRow } from './core/columns.ts'
export {
  RowRefused,
  openDatabase,
  type Database,
  type DatabaseOptions,
  type Session,
} from './database.ts'
export { createSinkMetrics } from './metrics.ts'
export { grant, migrate, readMigrations, type Migration } from './migrations.ts'
export { createSinkProcessor } from './processor.ts'
export { prepareDatabase, watchDatabase } from './readiness.ts'
