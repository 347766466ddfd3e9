// What does a loop count, and what does it say of its records?
import type { Service, Topic } from '@churnstream/topology'
import type { ConsumedRecord, OutgoingRecord } from './kafka.ts'
import type { Log } from './log.ts'
import { createLoopMetrics, type Metrics, type replacedBecause } from './metrics.ts'
import { outcomeKinds, type Outcome } from './outcome.ts'
import type { TraceContext } from './trace.ts'
import type { Tracing } from './tracing.ts'

/** A sampled record: whose work wrote it, and our work on it. */
export interface Traced {
  readonly parent: TraceContext | undefined
  readonly trace: TraceContext
}

/** One transaction's worth of records of one partition, and what became of each. */
export interface Settled {
  readonly topic: Topic
  readonly partition: number
  readonly chunk: readonly ConsumedRecord[]
  readonly outcomes: readonly Outcome[]
  readonly written: readonly OutgoingRecord[]
  /** By index in the chunk. */
  readonly traced: ReadonlyMap<number, Traced>
  readonly seconds: number
}

export interface LoopAccountOptions {
  readonly metrics: Metrics
  readonly service: Service
  readonly inputs: readonly Topic[]
  /** All topics that the loop may write to. */
  readonly written: readonly string[]
  readonly log: Log
  readonly tracing: Tracing
}

export type LoopAccount = ReturnType<typeof createLoopAccount>

const labelsOf = (topic: string, partition: number) => ({ topic, partition: String(partition) })
const secondsSince = (atMs: number): number => Math.max(0, Date.now() - atMs) / 1000

/** What a record costs here is an addition or two; everything with labels is counted by chunk. */
export function createLoopAccount(options: LoopAccountOptions) {
  const { inputs, written, log, tracing } = options
  const { name: service } = options.service
  const owned = new Set<number>()
  /** By input topic and partition: when the oldest record was taken that is not committed. */
  const oldestWaitingAt = new Map(inputs.map(({ name }) => [name, new Map<number, number>()]))
  const restoringSince = new Map<number, number>()
  let cameRoundAt = performance.now()
  const metrics = createLoopMetrics(options.metrics, service, {
    *lagSeconds() {
      for (const [topic, oldest] of oldestWaitingAt) {
        for (const partition of owned) {
          const oldestAt = oldest.get(partition)
          const seconds = oldestAt === undefined ? 0 : secondsSince(oldestAt)
          yield [labelsOf(topic, partition), seconds] as const
        }
      }
    },
    restoreSeconds: () => {
      const longest = Math.min(performance.now(), ...restoringSince.values())
      return (performance.now() - longest) / 1000
    },
    loopSeconds: () => (performance.now() - cameRoundAt) / 1000,
  })
  const waitingOf = (topic: string) => oldestWaitingAt.get(topic) as Map<number, number>

  function count({ topic, partition, chunk, outcomes, written, traced }: Settled): void {
    const at = { service, ...labelsOf(topic.name, partition) }
    const emitted = { emit: 0, skip: 0, 'dead-letter': 0 }
    const reasons = new Map<string, { outcome: string; reason: string; n: number }>()
    for (const outcome of outcomes) {
      emitted[outcome.kind]++
      if (outcome.kind === 'emit') continue
      const { kind, reason } = outcome
      const entry = reasons.get(`${kind} ${reason}`)
      if (entry) entry.n++
      else reasons.set(`${kind} ${reason}`, { outcome: kind, reason, n: 1 })
    }
    metrics.consumed.inc(at, chunk.length)
    for (const [outcome, n] of Object.entries(emitted)) metrics.records.inc({ ...at, outcome }, n)
    for (const { outcome, reason, n } of reasons.values()) {
      metrics.reasons.inc({ service, topic: topic.name, outcome, reason }, n)
    }
    const produced = new Map<string, number>()
    for (const record of written) produced.set(record.topic, (produced.get(record.topic) ?? 0) + 1)
    for (const [name, n] of produced) metrics.produced.inc({ service, topic: name }, n)

    const nowMs = Date.now()
    let newestAt = 0
    for (const [index, { timestampMs }] of chunk.entries()) {
      const traceId = traced.get(index)?.trace.traceId
      metrics.eventToCommit.add(Math.max(0, nowMs - timestampMs) / 1000, traceId)
      if (timestampMs > newestAt) newestAt = timestampMs
    }
    metrics.newestCommitted.set(at, newestAt / 1000)
  }

  /** A line for each reason why records of the chunk were set aside, and for each sampled record. */
  function tell({ topic, partition, chunk, outcomes, traced, seconds }: Settled): void {
    const setAside = new Map<string, { offset: string; records: number; traceId?: string }>()
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind !== 'dead-letter') continue
      const known = setAside.get(outcome.reason)
      const offset = String((chunk[index] as ConsumedRecord).offset)
      const traceId = traced.get(index)?.trace.traceId
      if (known) known.records++
      else setAside.set(outcome.reason, { offset, records: 1, ...(traceId && { traceId }) })
    }
    for (const [reason, first] of setAside) {
      log.warn({ topic: topic.name, partition, ...first, reason }, 'records set aside')
    }
    const endedAt = Date.now()
    for (const [index, { parent, trace }] of traced) {
      const outcome = outcomes[index] as Outcome
      const offset = String((chunk[index] as ConsumedRecord).offset)
      const facts = outcome.kind === 'emit' ? outcome.facts : { reason: outcome.reason }
      const at = { topic: topic.name, partition, offset, outcome: outcome.kind, ...facts }
      log.info({ traceId: trace.traceId, spanId: trace.spanId, ...at }, 'sampled record committed')
      tracing.ended({
        name: `${service} ${topic.name}`,
        kind: 'consumer',
        trace,
        parent,
        startedAt: endedAt - seconds * 1000,
        endedAt,
        attributes: {
          'messaging.system': 'kafka',
          'messaging.destination.name': topic.name,
          'messaging.destination.partition.id': String(partition),
          'messaging.kafka.offset': offset,
          outcome: outcome.kind,
          ...facts,
        },
      })
    }
  }

  return {
    cameRound(): void {
      cameRoundAt = performance.now()
    },
    /** The series of what is owned now, from 0 on, and of nothing else where they say what is now. */
    assigned(partitions: readonly number[]): void {
      metrics.assignments.inc({ service })
      metrics.assignedPartitions.set({ service }, partitions.length)
      for (const { name } of inputs) {
        for (const partition of owned) {
          if (partitions.includes(partition)) continue
          waitingOf(name).delete(partition)
          metrics.lag.remove({ service, ...labelsOf(name, partition) })
          metrics.newestCommitted.remove({ service, ...labelsOf(name, partition) })
        }
        for (const partition of partitions) {
          const at = { service, ...labelsOf(name, partition) }
          metrics.lag.set(at, 0)
          metrics.consumed.inc(at, 0)
          for (const outcome of outcomeKinds) metrics.records.inc({ ...at, outcome }, 0)
        }
      }
      owned.clear()
      for (const partition of partitions) owned.add(partition)
      for (const topic of written) metrics.produced.inc({ service, topic }, 0)
    },
    /** Records were fetched, the oldest of which is from then. */
    taken(topic: string, partition: number, oldestAt: number): void {
      const waiting = waitingOf(topic)
      if (!waiting.has(partition)) waiting.set(partition, oldestAt)
    },
    /** So many records are not committed, the oldest of them is from then. */
    behind(topic: string, partition: number, records: number, oldestAt: number | undefined): void {
      const waiting = waitingOf(topic)
      if (oldestAt === undefined) waiting.delete(partition)
      else waiting.set(partition, oldestAt)
      metrics.lag.set({ service, ...labelsOf(topic, partition) }, records)
    },
    /** Resolves with what the work resolves with. */
    async restoring<T>(partition: number, work: () => Promise<T>): Promise<T> {
      const startedAt = performance.now()
      restoringSince.set(partition, startedAt)
      try {
        const result = await work()
        metrics.restoreSeconds.observe({ service }, (performance.now() - startedAt) / 1000)
        return result
      } finally {
        restoringSince.delete(partition)
      }
    },
    replaced(reason: (typeof replacedBecause)[number]): void {
      metrics.producersReplaced.inc({ service, reason })
    },
    committed(settled: Settled): void {
      count(settled)
      tell(settled)
      metrics.transactionRecords.observe({ service }, settled.chunk.length)
      metrics.transactionSeconds.observe({ service }, settled.seconds)
    },
  }
}
