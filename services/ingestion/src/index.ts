// What do replays and tests need of ingestion? Its rules, and its parts without a broker.
export { makeApiKey } from './api-keys.ts'
export { clockEvent, clockRecords, startClock } from './clock.ts'
export { checkEvent, type Checked, type Rejection, type TimeBounds } from './core/event.ts'
export { maxEvents, parseEvents } from './core/request.ts'
export { createIngestionMetrics } from './metrics.ts'
export { openPseudonyms, type ToPseudonym } from './pseudonym.ts'
export { createServer, type ServerOptions } from './server.ts'
export { Refused, createWriter, type Writer, type WriterOptions } from './writer.ts'
