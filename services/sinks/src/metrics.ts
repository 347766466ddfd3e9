// What do the sinks count beside what every service counts?
import type { Metrics } from '@churnstream/runtime'
import { Counter, Histogram } from 'prom-client'

export type SinkMetrics = ReturnType<typeof createSinkMetrics>

export function createSinkMetrics({ registry }: Pick<Metrics, 'registry'>) {
  const registers = [registry]
  return {
    rows: new Counter({
      name: 'churnstream_sink_rows_total',
      help: 'Scores by what the database did: stored, already there (a repeat) or refused',
      labelNames: ['result'],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'churnstream_sink_batch_seconds',
      help: 'Time to write one batch of scores',
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
      registers,
    }),
  }
}
