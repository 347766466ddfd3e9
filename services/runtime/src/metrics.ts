// What does every service count?
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

const secondsBuckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30]

export interface Metrics {
  readonly registry: Registry
  readonly records: Counter<'topic' | 'outcome' | 'reason'>
  readonly lag: Gauge<'topic' | 'partition'>
  readonly transactionSeconds: Histogram
  readonly transactionRecords: Histogram
  readonly producersReplaced: Counter<'reason'>
  readonly assignments: Counter
  readonly restoreSeconds: Histogram
}

/** One registry of names, made once in main and handed down. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    records: new Counter({
      name: 'churnstream_records_total',
      help: 'Consumed records by what became of them',
      labelNames: ['topic', 'outcome', 'reason'],
      registers,
    }),
    lag: new Gauge({
      name: 'churnstream_lag_records',
      help: 'Records between the last committed one and the high watermark',
      labelNames: ['topic', 'partition'],
      registers,
    }),
    transactionSeconds: new Histogram({
      name: 'churnstream_transaction_seconds',
      help: 'Time from the first record of a chunk to its commit',
      buckets: secondsBuckets,
      registers,
    }),
    transactionRecords: new Histogram({
      name: 'churnstream_transaction_records',
      help: 'Consumed records in one transaction',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
      registers,
    }),
    producersReplaced: new Counter({
      name: 'churnstream_producers_replaced_total',
      help: 'Transactional producers closed because the outcome of a transaction was unknown',
      labelNames: ['reason'],
      registers,
    }),
    assignments: new Counter({
      name: 'churnstream_assignments_total',
      help: 'Times the consumer group assigned partitions to this process',
      registers,
    }),
    restoreSeconds: new Histogram({
      name: 'churnstream_restore_seconds',
      help: 'Time to restore the state of one partition from its changelog',
      buckets: secondsBuckets,
      registers,
    }),
  }
}
