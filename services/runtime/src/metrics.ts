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
  collectDefaultMetrics({
    register: registry as unknown as Registry,
    // A timer of every 10 ms, as usual, is more than half a percent of a core, whatever there is to do.
    eventLoopMonitoringPrecision: 50,
  })
  return { registry }
}

/** What only the moment of asking can tell of a loop. */
export interface Ages {
  /** Of the oldest record of a partition that is not committed, in seconds. */
  lagSeconds(): Iterable<readonly [at: { topic: string; partition: string }, seconds: number]>
  /** Of the longest restore under way, in seconds. */
  restoreSeconds(): number
  /** Since the consumer last came round, in seconds. */
  loopSeconds(): number
}

type Shared = ReturnType<typeof createShared>
const shared = new WeakMap<Instruments, Shared>()

/** Of one loop; others of the same process count in the same metrics, under their own service. */
export function createLoopMetrics({ registry }: Metrics, service: string, ages: Ages) {
  const all = shared.get(registry) ?? createShared(registry)
  shared.set(registry, all)
  all.loops.set(service, ages)
  for (const reason of replacedBecause) all.producersReplaced.inc({ service, reason }, 0)
  all.assignments.inc({ service }, 0)
  for (const one of [all.restoreSeconds, all.transactionSeconds, all.transactionRecords]) {
    one.zero({ service })
  }
  return { ...all, eventToCommit: all.eventToCommit.of({ service }) }
}

export const replacedBecause = ['fenced', 'outcome-unknown', 'dependency-away'] as const

function createShared(registry: Instruments) {
  const loops = new Map<string, Ages>()
  createGauge(registry, loopMetrics.lagSeconds, (gauge) => {
    gauge.reset()
    for (const [service, ages] of loops) {
      for (const [at, seconds] of ages.lagSeconds()) gauge.set({ service, ...at }, seconds)
    }
  })
  createGauge(registry, loopMetrics.restoreRunning, (gauge) => {
    for (const [service, ages] of loops) gauge.set({ service }, ages.restoreSeconds())
  })
  createGauge(registry, loopMetrics.loopAge, (gauge) => {
    for (const [service, ages] of loops) gauge.set({ service }, ages.loopSeconds())
  })
  return {
    loops,
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
