// What does every service that consumes count, and where does it keep what it counts?
import { loopMetrics } from '@churnstream/topology'
import { collectDefaultMetrics, type Registry } from 'prom-client'
import {
  createCounter,
  createDistribution,
  createGauge,
  createHistogram,
  createInstruments,
  type Instruments,
} from './instruments.ts'

/** Made once in main and handed down. */
export interface Metrics {
  readonly registry: Instruments
}

export function createMetrics(service: string): Metrics {
  const registry = createInstruments()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry as unknown as Registry })
  return { registry }
}

export type LoopMetrics = ReturnType<typeof createLoopMetrics>

/** What only the moment of asking can tell. */
export interface Ages {
  /** Of the oldest record of a partition that is not committed, in seconds. */
  lagSeconds(): Iterable<readonly [partition: number, seconds: number]>
  /** Of the longest restore under way, in seconds. */
  restoreSeconds(): number
  /** Since the consumer last came round, in seconds. */
  loopSeconds(): number
}

export function createLoopMetrics({ registry }: Metrics, topic: string, ages: Ages) {
  createGauge(registry, loopMetrics.lagSeconds, (gauge) => {
    gauge.reset()
    for (const [partition, seconds] of ages.lagSeconds()) gauge.set({ topic, partition }, seconds)
  })
  createGauge(registry, loopMetrics.restoreRunning, (gauge) => gauge.set(ages.restoreSeconds()))
  createGauge(registry, loopMetrics.loopAge, (gauge) => gauge.set(ages.loopSeconds()))
  return {
    consumed: createCounter(registry, loopMetrics.consumed),
    records: createCounter(registry, loopMetrics.records),
    reasons: createCounter(registry, loopMetrics.reasons),
    produced: createCounter(registry, loopMetrics.produced),
    lag: createGauge(registry, loopMetrics.lagRecords),
    newestCommitted: createGauge(registry, loopMetrics.newestCommitted),
    eventToCommit: createDistribution(registry, loopMetrics.eventToCommit),
    transactionSeconds: createHistogram(registry, loopMetrics.transactionSeconds),
    transactionRecords: createHistogram(registry, loopMetrics.transactionRecords),
    producersReplaced: createCounter(registry, loopMetrics.producersReplaced),
    assignments: createCounter(registry, loopMetrics.assignments),
    assignedPartitions: createGauge(registry, loopMetrics.assignedPartitions),
    restoreSeconds: createHistogram(registry, loopMetrics.restoreSeconds),
  }
}
