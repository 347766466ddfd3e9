// How does a service turn the records of a topic into outcomes, exactly once?
import { DecodeProblem, type RecordDecoder, type Schemas } from '@churnstream/schemas'
import { deadLetterTopic, type Service, type Topic } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import { toDeadLetter } from './dead-letter.ts'
import { RebalanceError, TransientError, isFenced, messageOf } from './errors.ts'
import { failpoint, type Failpoint } from './failpoint.ts'
import type { Health } from './http.ts'
import type {
  Batch,
  ConsumedRecord,
  ConsumeOptions,
  Kafka,
  OutgoingRecord,
  Reach,
  TransactionalProducer,
} from './kafka.ts'
import type { Log } from './log.ts'
import { createLoopMetrics, type Metrics } from './metrics.ts'
import { deadLetter, outcomeKinds, type Outcome } from './outcome.ts'
import { childOf, toTraceparent, traceHeader, traceOf, type TraceContext } from './trace.ts'
import { noTracing, type Tracing } from './tracing.ts'
import { isAway, untilUp } from './until-up.ts'

export interface Received<V> {
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: V
  /** Of the work on this record, when it comes from a sampled request. */
  readonly trace?: TraceContext
}

/** The business of a service: what to do with the decoded records of one partition, in order. */
export interface Processor<V> {
  /** One outcome per record, in order. Poison is an outcome; trouble of the world is thrown. */
  process(partition: number, records: readonly Received<V>[]): Outcome[] | Promise<Outcome[]>
  /** Called when a partition has been taken over and its former owner fenced, before any record. */
  opened?(partition: number): Promise<void>
  /** Present on a processor with state. */
  readonly state?: ProcessorState
}

export interface ProcessorState {
  /** The compacted topic that holds the state, co-partitioned with the input. */
  readonly changelog: Topic
  /** Replaces the partition's state by what the changelog says. */
  restore(partition: number, changelog: AsyncIterable<readonly ConsumedRecord[]>): Promise<number>
  /** What `process` changed since the last call: goes into the same transaction. */
  changes(partition: number): OutgoingRecord[]
  release(partition: number): void
}

export interface RunOptions<V> {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly service: Service
  readonly topic: Topic
  readonly decoder: RecordDecoder<V>
  readonly processor: Processor<V>
  readonly signal: AbortSignal
  readonly log: Log
  readonly metrics: Metrics
  readonly health: Health
  /** Where the spans of sampled records go; nowhere unless told. */
  readonly tracing?: Tracing
  readonly sessionTimeoutMs?: number
  /** How long a fetch gathers records. Longer means fewer, larger transactions. */
  readonly fetchWaitMs?: number
}

/** Of the one producer that may write for a partition. */
export const transactionalIdOf = (service: Service, topic: Topic, partition: number): string =>
  `churnstream.${service.name}.${topic.name}.${partition}`

/** Topics keyed by player are co-partitioned: a partition writes to its like alone. */
export function reachOf(service: Service, topic: Topic, partition: number): Reach {
  const written = [...service.produces, ...service.state].filter(({ key }) => key === topic.key)
  const names = [...written.map(({ name }) => name), deadLetterTopic(topic)]
  return { partitions: names.map((name) => ({ topic: name, partition })), groupId: service.name }
}

/** Records per transaction at most: bounds replay, heartbeat gaps and the pause of a model swap. */
const chunkRecords = 1_000
const retryMinMs = 100
const retryMaxMs = 5_000
const heartbeatEveryMs = 1_000

/** A sampled record: whose work wrote it, and our work on it. */
interface Traced {
  readonly parent: TraceContext | undefined
  readonly trace: TraceContext
}

/** One owned partition: its producer and how far its state has come. */
interface Lane {
  readonly generation: number
  readonly producer: TransactionalProducer
  /** The offset that the next transaction starts at. */
  next: bigint
  /** Whether a batch has been checked to start no later than that. */
  begun: boolean
  /** Whether a commit was begun and not answered. */
  committing: boolean
}

/**
 * Runs until the signal aborts. Per partition and generation: open a transactional producer named
 * after the partition (this fences the former owner and ends its transaction), only then read the
 * committed offset, restore the state unless it stands exactly there, go on from that offset. Per
 * chunk: process, then outputs, changelog, dead letters and offset in one transaction. After any
 * doubt about a transaction the lane is dropped and opened again by the same steps, so the
 * committed offset tells what happened. See docs/decisions/0002.
 */
export async function run<V>(options: RunOptions<V>): Promise<void> {
  const { kafka, schemas, service, topic, decoder, processor } = options
  const { signal, log, health, tracing = noTracing } = options
  const group = service.name
  const lanes = new Map<number, Lane>()
  /** Lanes that are being opened for the newest assignment, before their first record comes. */
  const opening = new Map<number, { generation: number; lane: Promise<Lane | undefined> }>()
  /** Where the state in memory stands, which outlives lanes. Absent: there is none to trust. */
  const stateAt = new Map<number, bigint>()
  /** When the oldest record was taken that is not committed, where there is one. */
  const oldestWaitingAt = new Map<number, number>()
  const owned = new Set<number>()
  const restoringSince = new Map<number, number>()
  let cameRoundAt = performance.now()
  const metrics = createLoopMetrics(options.metrics, group, {
    lagSeconds: () =>
      [...owned].map((partition) => {
        const oldestAt = oldestWaitingAt.get(partition)
        return [placeOf(partition), oldestAt === undefined ? 0 : secondsSince(oldestAt)] as const
      }),
    restoreSeconds: () => {
      const longest = Math.min(performance.now(), ...restoringSince.values())
      return (performance.now() - longest) / 1000
    },
    loopSeconds: () => (performance.now() - cameRoundAt) / 1000,
  })

  health.waitFor('group', 'no partitions were assigned yet')
  const consumerOptions: ConsumeOptions = {
    groupId: group,
    topic: topic.name,
    ...(options.sessionTimeoutMs === undefined
      ? {}
      : { sessionTimeoutMs: options.sessionTimeoutMs }),
    ...(options.fetchWaitMs === undefined ? {} : { fetchWaitMs: options.fetchWaitMs }),
    onFetched: () => (cameRoundAt = performance.now()),
    onAssigned(partitions, generation) {
      metrics.assignments.inc({ service: group })
      metrics.assignedPartitions.set({ service: group }, partitions.length)
      log.info({ topic: topic.name, partitions }, 'partitions assigned')
      for (const partition of new Set([...lanes.keys(), ...stateAt.keys()])) {
        if (partitions.includes(partition)) continue
        void closeLane(partition)
        stateAt.delete(partition)
        processor.state?.release(partition)
      }
      countFrom(partitions)
      void openAll(partitions, generation)
    },
    onBatch,
  }
  const joining = `joining consumer group ${group}`
  const consumer = await untilUp('kafka', joining, () => kafka.consume(consumerOptions), options)
  if (consumer === undefined) return
  const stop = () => void consumer.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    await consumer.finished
  } finally {
    signal.removeEventListener('abort', stop)
    await Promise.all([...opening.values()].map(({ lane }) => lane))
    await Promise.all([...lanes.keys()].map(closeLane))
  }

  async function onBatch(batch: Batch): Promise<void> {
    for (let attempt = 0; !batch.isStale(); attempt++) {
      try {
        await withHeartbeats(batch, workThrough(batch))
        return
      } catch (error) {
        if (error instanceof RebalanceError) throw error
        if (!isAway(error)) throw error
        const reason = reasonOf(error, lanes.get(batch.partition))
        await closeLane(batch.partition)
        metrics.producersReplaced.inc({ service: group, reason })
        const waitMs = retryDelayMs(attempt, error)
        log.warn(
          {
            topic: batch.topic,
            partition: batch.partition,
            attempt,
            waitMs,
            reason: messageOf(error),
          },
          'the batch will be tried again',
        )
        await withHeartbeats(
          batch,
          delay(waitMs, undefined, { signal }).catch(() => undefined),
        )
      }
    }
  }

  async function workThrough(batch: Batch): Promise<void> {
    const { partition, generation } = batch
    const first = batch.records[0]
    if (first !== undefined && !oldestWaitingAt.has(partition)) {
      oldestWaitingAt.set(partition, first.timestampMs)
    }
    const ahead = opening.get(partition)
    opening.delete(partition)
    if (ahead?.generation === generation) await ahead.lane
    const known = lanes.get(partition)
    const current = known?.generation === generation ? known : await openLane(partition, generation)
    if (!current.begun && batch.fetchedOffset > current.next) {
      // Fetched past what is committed: those records must come again.
      batch.seek(current.next)
      return
    }
    current.begun = true
    const pending = batch.records.filter((record) => record.offset >= current.next)
    for (let start = 0; start < pending.length; start += chunkRecords) {
      if (batch.isStale()) return
      const chunk = pending.slice(start, start + chunkRecords)
      await workThroughChunk(batch, current, chunk)
      cameRoundAt = performance.now()
      const last = chunk.at(-1) as ConsumedRecord
      const left = pending.length - start - chunk.length
      const waiting =
        left > 0 ? pending[start + chunk.length] : batch.remaining > 0n ? last : undefined
      waitsSince(partition, waiting?.timestampMs, Number(batch.remaining) + left)
      await batch.heartbeat()
    }
    const last = batch.records.at(-1)
    if (pending.length === 0) waitsSince(partition, undefined, Number(batch.remaining))
    if (last !== undefined) batch.resolve(last.offset)
  }

  /** Ready means fenced and restored, so that the first records do not wait for it. */
  async function openAll(partitions: readonly number[], generation: number): Promise<void> {
    health.waitFor('group', `restoring ${partitions.length} partitions`)
    const lanesToCome = partitions.map((partition) => {
      const lane = openLane(partition, generation).catch((error: unknown) => {
        // The batch that needs it opens it again, and waits out what is away.
        log.warn({ partition, reason: messageOf(error) }, 'a partition was not opened ahead')
        return undefined
      })
      opening.set(partition, { generation, lane })
      return lane
    })
    await Promise.all(lanesToCome)
    health.ready('group')
  }

  async function openLane(partition: number, generation: number): Promise<Lane> {
    await closeLane(partition)
    const producer = await kafka.openTransactional(
      transactionalIdOf(service, topic, partition),
      reachOf(service, topic, partition),
    )
    try {
      // Only now: the former owner is fenced, and what it committed is final.
      const next = await kafka.committedOffset(group, topic.name, partition)
      if (processor.state && stateAt.get(partition) !== next) {
        stateAt.delete(partition)
        const startedAt = performance.now()
        restoringSince.set(partition, startedAt)
        const changelog = passing(
          'mid-restore',
          kafka.read(processor.state.changelog.name, partition),
        )
        const players = await processor.state
          .restore(partition, changelog)
          .finally(() => restoringSince.delete(partition))
        const seconds = (performance.now() - startedAt) / 1000
        metrics.restoreSeconds.observe({ service: group }, seconds)
        log.info(
          { partition, entries: players, seconds: Number(seconds.toFixed(3)) },
          'state restored',
        )
        stateAt.set(partition, next)
      }
      await processor.opened?.(partition)
      const lane: Lane = { generation, producer, next, begun: false, committing: false }
      lanes.set(partition, lane)
      return lane
    } catch (error) {
      await producer.close()
      throw error
    }
  }

  async function workThroughChunk(
    batch: Batch,
    lane: Lane,
    chunk: readonly ConsumedRecord[],
  ): Promise<void> {
    const { partition } = batch
    const startedAt = performance.now()
    failpoint('after-poll')
    await schemas.prepare(
      decoder,
      chunk.map((record) => record.value),
      signal,
    )
    const received: Received<V>[] = []
    const traced = new Map<number, Traced>()
    const outcomes: (Outcome | undefined)[] = chunk.map((record, index) => {
      const parent = traceOf(record.headers)
      const trace = parent && childOf(parent)
      if (trace) traced.set(index, { parent, trace })
      const value = decoder.decode(record.value)
      if (value instanceof DecodeProblem) return deadLetter(value.reason, value.detail)
      const { offset, timestampMs, key } = record
      received.push({ offset, timestampMs, key, value, ...(trace ? { trace } : {}) })
      return undefined
    })
    // From here the state in memory is ahead of what is committed, until the commit says otherwise.
    stateAt.delete(partition)
    const processed = received.length === 0 ? [] : await processor.process(partition, received)
    if (processed.length !== received.length) {
      throw new Error(
        `${processed.length} outcomes for ${received.length} records: a bug in ${group}`,
      )
    }
    let at = 0
    const records: OutgoingRecord[] = []
    const settled = chunk.map((record, index) => {
      const outcome = outcomes[index] ?? (processed[at++] as Outcome)
      switch (outcome.kind) {
        case 'emit': {
          const trace = traced.get(index)?.trace
          for (const out of outcome.records) records.push(trace ? within(trace, out) : out)
          break
        }
        case 'dead-letter':
          records.push(
            toDeadLetter(record, {
              reason: outcome.reason,
              detail: outcome.detail,
              service: service.name,
              topic: topic.name,
              partition,
            }),
          )
          break
        case 'skip':
          break
        default:
          outcome satisfies never
      }
      return outcome
    })
    if (processor.state)
      for (const change of processor.state.changes(partition)) records.push(change)

    const next = (chunk.at(-1) as ConsumedRecord).offset + 1n
    failpoint('after-process')
    lane.committing = true
    await lane.producer.commit({
      records,
      offset: { groupId: group, topic: topic.name, partition, next },
    })
    lane.committing = false
    failpoint('after-commit')
    lane.next = next
    if (processor.state) stateAt.set(partition, next)
    count(partition, chunk, settled, records, traced)
    tell(partition, chunk, settled, traced, (performance.now() - startedAt) / 1000)
    metrics.transactionRecords.observe({ service: group }, chunk.length)
    metrics.transactionSeconds.observe({ service: group }, (performance.now() - startedAt) / 1000)
  }

  /** What a record costs here is an addition or two; everything with labels is counted by chunk. */
  function count(
    partition: number,
    chunk: readonly ConsumedRecord[],
    outcomes: readonly Outcome[],
    written: readonly OutgoingRecord[],
    traced: ReadonlyMap<number, Traced>,
  ): void {
    const at = { service: group, ...placeOf(partition) }
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
      metrics.reasons.inc({ service: group, topic: topic.name, outcome, reason }, n)
    }
    const produced = new Map<string, number>()
    for (const record of written) produced.set(record.topic, (produced.get(record.topic) ?? 0) + 1)
    for (const [name, n] of produced) metrics.produced.inc({ service: group, topic: name }, n)

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
  function tell(
    partition: number,
    chunk: readonly ConsumedRecord[],
    outcomes: readonly Outcome[],
    traced: ReadonlyMap<number, Traced>,
    seconds: number,
  ): void {
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
        name: `${service.name} ${topic.name}`,
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

  /** The series of what is owned now, from 0 on, and of nothing else where they say what is now. */
  function countFrom(partitions: readonly number[]): void {
    for (const partition of owned) {
      if (partitions.includes(partition)) continue
      owned.delete(partition)
      oldestWaitingAt.delete(partition)
      metrics.lag.remove({ service: group, ...placeOf(partition) })
      metrics.newestCommitted.remove({ service: group, ...placeOf(partition) })
    }
    for (const partition of partitions) {
      const at = { service: group, ...placeOf(partition) }
      owned.add(partition)
      metrics.lag.set(at, 0)
      metrics.consumed.inc(at, 0)
      for (const outcome of outcomeKinds) metrics.records.inc({ ...at, outcome }, 0)
    }
    for (const written of reachOf(service, topic, 0).partitions) {
      metrics.produced.inc({ service: group, topic: written.topic }, 0)
    }
  }

  function placeOf(partition: number): { topic: string; partition: string } {
    return { topic: topic.name, partition: String(partition) }
  }

  function waitsSince(partition: number, oldestAt: number | undefined, behind: number): void {
    if (oldestAt === undefined) oldestWaitingAt.delete(partition)
    else oldestWaitingAt.set(partition, oldestAt)
    metrics.lag.set({ service: group, ...placeOf(partition) }, behind)
  }

  async function closeLane(partition: number): Promise<void> {
    const lane = lanes.get(partition)
    if (lane === undefined) return
    lanes.delete(partition)
    await lane.producer.close()
  }
}

const within = (trace: TraceContext, record: OutgoingRecord): OutgoingRecord => ({
  ...record,
  headers: { ...record.headers, [traceHeader]: toTraceparent(trace) },
})

const secondsSince = (atMs: number): number => Math.max(0, Date.now() - atMs) / 1000

function reasonOf(error: unknown, lane: Lane | undefined): string {
  if (isFenced(error)) return 'fenced'
  return lane?.committing === true ? 'outcome-unknown' : 'dependency-away'
}

async function* passing<T>(name: Failpoint, all: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const one of all) {
    yield one
    failpoint(name)
  }
}

function retryDelayMs(attempt: number, error: Error): number {
  if (error instanceof TransientError && error.retryAfterMs !== undefined) return error.retryAfterMs
  const ceiling = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(attempt, 10))
  return Math.round(ceiling * (0.5 + Math.random() / 2))
}

/** Keeps the membership alive while the work takes its time. */
async function withHeartbeats<T>(batch: Batch, work: Promise<T>): Promise<T> {
  let rebalance: unknown
  const timer = setInterval(() => {
    batch.heartbeat().catch((error: unknown) => (rebalance = error))
  }, heartbeatEveryMs)
  try {
    const result = await work
    if (rebalance !== undefined) throw rebalance
    return result
  } finally {
    clearInterval(timer)
  }
}
