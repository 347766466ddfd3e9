// What do tests need of the sinks? Their parts, without a broker.
export { insertScores, toColumns, type ScoreRow } from './core/columns.ts'
export { RowRefused, openDatabase, type Database, type DatabaseOptions } from './database.ts'
export { createSinkMetrics } from './metrics.ts'
export { migrate, readMigrations, type Migration } from './migrations.ts'
export { createSinkProcessor } from './processor.ts'
export { prepareDatabase, watchDatabase } from './readiness.ts'
