// What do the sinks expose beside their loop?
import type { Metric } from './metric.ts'

export const sinkMetrics = {
  rows: {
    name: 'churnstream_sink_rows_total',
    kind: 'counter',
    help: 'Scores by what the database did: stored, already there (a repeat) or refused',
    unit: 'rows',
    labels: ['result'],
    initial: [{ result: 'stored' }, { result: 'already-there' }, { result: 'refused' }],
  },
  batchSeconds: {
    name: 'churnstream_sink_batch_seconds',
    kind: 'histogram',
    help: 'Time to write one batch of scores',
    unit: 'seconds',
    labels: [],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
  },
} as const satisfies Record<string, Metric>
