// How does a service turn the records of a topic into outcomes, exactly once?
import { DecodeProblem, type RecordDecoder, type Schemas } from '@churnstream/schemas'
import { groupOf, transactionalIdPrefixOf, type Service, type Topic } from '@churnstream/topology'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createCarrier, type Carrier, type Passage } from './carrier.ts'
import { toDeadLetter } from './dead-letter.ts'
import { RebalanceError, TransientError, isFenced, messageOf } from './errors.ts'
import { failpoint, type Failpoint } from './failpoint.ts'
import type { Health, Work } from './http.ts'
import type {
  Batch,
  ConsumedRecord,
  ConsumeOptions,
  Kafka,
  OutgoingRecord,
  TransactionalProducer,
} from './kafka.ts'
import type { Log } from './log.ts'
import { createLoopAccount, type Traced } from './loop-account.ts'
import type { Metrics, replacedBecause } from './metrics.ts'
import { deadLetter, skip, type Outcome } from './outcome.ts'
import { carrierReachOf, createFence, reachOf, takeOver } from './take-over.ts'
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
  /**
   * Called when a partition has been taken over and its former owner fenced, before any record, with
   * the offset of each topic that comes next.
   */
  opened?(partition: number, next: ReadonlyMap<string, bigint>): Promise<void>
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

/** A topic, and what makes values of its records. */
export interface Input<V> {
  readonly topic: Topic
  readonly decoder: RecordDecoder<V>
  /** The others are skipped without being decoded; all are wanted unless told. */
  readonly wants?: (record: ConsumedRecord, partition: number) => boolean
  /** The first so many partitions are read, and nobody reads the others; all unless told. */
  readonly partitions?: number
}

export interface Gather {
  /** So long from one fetch to the next, unless it left something. */
  readonly everyMs: number
  /** Of a transaction, at most; chunkRecords unless told. */
  readonly records?: number
}

export interface RunOptions<V> extends Input<V> {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly service: Service
  /**
   * Further topics, co-partitioned with the first: a partition is one lane over all of them, with one
   * producer and one state. In which order records of different topics come is not promised.
   */
  readonly alongside?: readonly Input<V>[]
  readonly processor: Processor<V>
  readonly signal: AbortSignal
  readonly log: Log
  readonly metrics: Metrics
  readonly health: Health
  /** Where the spans of sampled records go; nowhere unless told. */
  readonly tracing?: Tracing
  readonly sessionTimeoutMs?: number
  /** Fewer and larger transactions, where nobody waits for what comes out. */
  readonly gather?: Gather
}

/** Records per transaction at most: bounds replay, heartbeat gaps and the pause of a model swap. */
const chunkRecords = 1_000
const retryMinMs = 100
const retryMaxMs = 5_000
const heartbeatEveryMs = 1_000

/** One owned partition: who writes for it and how far its state has come. */
interface Lane {
  readonly generation: number
  readonly carrier: Carrier
  /** Its own, until a transaction of it has named the carrier. */
  producer: TransactionalProducer | undefined
  /** By topic: the offset that the next transaction starts at. */
  readonly next: Map<string, bigint>
  /** Topics of which a batch has been checked to start no later than that. */
  readonly begun: Set<string>
  /** Whether a commit was begun and not answered. */
  committing: boolean
}

/** Where a lane stands in all of its topics. */
const placeOf = (next: ReadonlyMap<string, bigint>): string => [...next].flat().join(' ')

/**
 * Runs until the signal aborts. Per partition and generation: take the partition over (this fences
 * the former owner and ends its transaction), which tells the committed offset; restore the state
 * unless it stands exactly there; go on from that offset. Per chunk: process, then outputs,
 * changelog, dead letters and offset in one transaction, which lanes of the process share. After any
 * doubt about a transaction its lanes are dropped and opened again by the same steps, so the
 * committed offset tells what happened. See docs/decisions/0002 and 0122.
 */
export async function run<V>(options: RunOptions<V>): Promise<void> {
  const { kafka, schemas, service, topic, processor, alongside = [] } = options
  const inputs = new Map<string, Input<V>>(
    [options, ...alongside].map((input) => [input.topic.name, input]),
  )
  const { signal, log, health } = options
  const group = groupOf(service)
  const others = alongside.map((input) => input.topic)
  const account = createLoopAccount({
    metrics: options.metrics,
    service,
    inputs: [topic, ...others],
    written: reachOf(service, topic, 0, others).partitions.map((written) => written.topic),
    log,
    tracing: options.tracing ?? noTracing,
  })
  const carrierReach = carrierReachOf(service, topic, others)
  const fence = createFence(kafka, carrierReach)
  const member = randomUUID()
  let newest: { readonly generation: number; readonly carrier: Promise<Carrier> } | undefined
  const part = `group ${group}`
  const workOn = (partition: number) => health.begin(`${group} ${partition}`)
  const lanes = new Map<number, Lane>()
  /** Lanes that are being opened for the newest assignment, before their first record comes. */
  const opening = new Map<number, { generation: number; lane: Promise<Lane | undefined> }>()
  /** Where the state in memory stands, which outlives lanes. Absent: there is none to trust. */
  const stateAt = new Map<number, string>()
  /** The last batch of each partition: its topics share a lane, so they take turns. */
  const turns = new Map<number, Promise<void>>()

  health.waitFor(part, 'no partitions were assigned yet')
  const consumerOptions: ConsumeOptions = {
    groupId: group,
    topic: topic.name,
    ...(others.length === 0 ? {} : { alongside: others.map(({ name }) => name) }),
    ...(options.sessionTimeoutMs === undefined
      ? {}
      : { sessionTimeoutMs: options.sessionTimeoutMs }),
    partitions: new Map(
      [...inputs].flatMap(([name, input]) =>
        input.partitions === undefined ? [] : [[name, input.partitions] as const],
      ),
    ),
    ...(options.gather === undefined ? {} : { gather: options.gather }),
    onFetched: () => account.cameRound(),
    onAssigned(partitions, generation) {
      log.info({ topic: topic.name, partitions }, 'partitions assigned')
      for (const partition of new Set([...lanes.keys(), ...stateAt.keys()])) {
        if (partitions.includes(partition)) continue
        void closeLane(partition)
        stateAt.delete(partition)
        processor.state?.release(partition)
      }
      account.assigned(partitions)
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
    await newest?.carrier.then((carrier) => carrier.close()).catch(() => undefined)
  }

  async function onBatch(batch: Batch): Promise<void> {
    const nextAt = performance.now() + (options.gather?.everyMs ?? 0)
    await workOff(batch)
    // What waits for its turn is fetched when all batches of this fetch are done.
    while (batch.remaining === 0n && !batch.isStale() && !signal.aborted) {
      const leftMs = nextAt - performance.now()
      if (leftMs <= 0) break
      await delay(Math.min(leftMs, heartbeatEveryMs), undefined, { signal }).catch(() => undefined)
      await batch.heartbeat()
    }
  }

  async function workOff(batch: Batch): Promise<void> {
    using work = workOn(batch.partition)
    for (let attempt = 0; !batch.isStale(); attempt++) {
      work.cameOn()
      try {
        await withHeartbeats(batch, inTurn(batch, work))
        return
      } catch (error) {
        if (error instanceof RebalanceError) throw error
        if (!isAway(error)) throw error
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

  /**
   * One batch of a partition after the other, whichever topic it is of. After trouble the lane is
   * closed before the next one's turn: nobody may write with a producer whose last word is unknown.
   */
  function inTurn(batch: Batch, work: Work): Promise<void> {
    const { partition } = batch
    const turn = (turns.get(partition) ?? Promise.resolve()).then(async () => {
      if (batch.isStale()) return
      try {
        await workThrough(batch, work)
      } catch (error) {
        if (!(error instanceof RebalanceError)) {
          if (isAway(error)) account.replaced(reasonOf(error, lanes.get(partition)))
          await closeLane(partition)
        }
        throw error
      }
    })
    turns.set(
      partition,
      turn.catch(() => undefined),
    )
    return turn
  }

  async function workThrough(batch: Batch, work: Work): Promise<void> {
    const { partition, generation } = batch
    const input = inputs.get(batch.topic) as Input<V>
    const [first] = batch.records
    if (first !== undefined) account.taken(batch.topic, partition, first.timestampMs)
    const ahead = opening.get(partition)
    opening.delete(partition)
    if (ahead?.generation === generation) await ahead.lane
    const known = lanes.get(partition)
    const current =
      known?.generation === generation ? known : await openLane(partition, generation, work)
    work.cameOn()
    const next = current.next.get(batch.topic) as bigint
    if (!current.begun.has(batch.topic) && batch.fetchedOffset > next) {
      // Fetched past what is committed: those records must come again.
      batch.seek(next)
      return
    }
    current.begun.add(batch.topic)
    const pending = batch.records.filter((record) => record.offset >= next)
    const most = options.gather?.records ?? chunkRecords
    for (let start = 0; start < pending.length; start += most) {
      if (batch.isStale()) return
      const chunk = pending.slice(start, start + most)
      await workThroughChunk(batch, input, current, chunk)
      account.cameRound()
      work.cameOn()
      const left = pending.length - start - chunk.length
      const waiting = left > 0 ? pending[start + chunk.length] : undefined
      const unread = batch.remaining > 0n ? chunk.at(-1) : undefined
      const oldest = waiting ?? unread
      account.behind(batch.topic, partition, Number(batch.remaining) + left, oldest?.timestampMs)
      await batch.heartbeat()
    }
    if (pending.length === 0) {
      account.behind(batch.topic, partition, Number(batch.remaining), undefined)
    }
    const last = batch.records.at(-1)
    if (last !== undefined) batch.resolve(last.offset)
  }

  /** Ready means fenced and restored, so that the first records do not wait for it. */
  async function openAll(partitions: readonly number[], generation: number): Promise<void> {
    health.waitFor(part, `restoring ${partitions.length} partitions`)
    const lanesToCome = partitions.map((partition) => {
      const lane = openAhead(partition, generation)
      opening.set(partition, { generation, lane })
      return lane
    })
    await Promise.all(lanesToCome)
    health.ready(part)
  }

  async function openAhead(partition: number, generation: number): Promise<Lane | undefined> {
    using work = workOn(partition)
    try {
      return await openLane(partition, generation, work)
    } catch (error) {
      // The batch that needs it opens it again, and waits out what is away.
      log.warn({ partition, reason: messageOf(error) }, 'a partition was not opened ahead')
      return undefined
    }
  }

  /** One of each generation, so that who takes a partition over later fences none that is in use. */
  async function carrierOf(generation: number): Promise<Carrier> {
    const before = newest
    if (before !== undefined && before.generation > generation) {
      throw new TransientError('the partitions were assigned anew')
    }
    const known = await before?.carrier.catch(() => undefined)
    // Another lane may have opened one meanwhile.
    if (newest !== before) return carrierOf(generation)
    if (known && !known.isBroken && before?.generation === generation) return known
    const id = `${transactionalIdPrefixOf(service)}${topic.name}.carrier-${member}-${generation}`
    const carrier = (async () => {
      await known?.close()
      return createCarrier(id, await kafka.openTransactional(id, carrierReach))
    })()
    newest = { generation, carrier }
    return carrier
  }

  async function openLane(partition: number, generation: number, work: Work): Promise<Lane> {
    await closeLane(partition)
    const carrier = await carrierOf(generation)
    const { producer, next, isNamed } = await takeOver({
      kafka,
      service,
      topic,
      alongside: others,
      partition,
      fence,
      carrierId: carrier.id,
    })
    work.cameOn()
    try {
      const { state } = processor
      if (state && stateAt.get(partition) !== placeOf(next)) {
        stateAt.delete(partition)
        const startedAt = performance.now()
        const changelog = passing('mid-restore', kafka.read(state.changelog.name, partition), work)
        const restored = () => state.restore(partition, changelog)
        const players = await account.restoring(partition, restored)
        const seconds = (performance.now() - startedAt) / 1000
        log.info(
          { partition, entries: players, seconds: Number(seconds.toFixed(3)) },
          'state restored',
        )
        stateAt.set(partition, placeOf(next))
      }
      await processor.opened?.(partition, next)
      const lane: Lane = {
        generation,
        carrier,
        producer,
        next,
        begun: new Set(),
        committing: false,
      }
      if (isNamed) await dropProducer(lane)
      lanes.set(partition, lane)
      return lane
    } catch (error) {
      await producer.close()
      throw error
    }
  }

  async function workThroughChunk(
    batch: Batch,
    { topic, decoder, wants }: Input<V>,
    lane: Lane,
    chunk: readonly ConsumedRecord[],
  ): Promise<void> {
    const { partition } = batch
    const startedAt = performance.now()
    using passage = enter(lane)
    failpoint('after-poll')
    const wanted = wants ? chunk.filter((record) => wants(record, partition)) : chunk
    await schemas.prepare(
      decoder,
      wanted.map((record) => record.value),
      signal,
    )
    const received: Received<V>[] = []
    const traced = new Map<number, Traced>()
    let nextWanted = 0
    const outcomes: (Outcome | undefined)[] = chunk.map((record, index) => {
      if (record !== wanted[nextWanted]) return unwanted
      nextWanted++
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
    lane.committing = true
    failpoint('after-process')
    const metadata = lane.carrier.id
    await passage.commit({
      records,
      offsets: [{ groupId: group, topic: topic.name, partition, next, metadata }],
    })
    lane.committing = false
    failpoint('after-commit')
    lane.next.set(topic.name, next)
    if (processor.state) stateAt.set(partition, placeOf(lane.next))
    const seconds = (performance.now() - startedAt) / 1000
    account.committed({
      topic,
      partition,
      chunk,
      outcomes: settled,
      written: records,
      traced,
      seconds,
    })
  }

  async function closeLane(partition: number): Promise<void> {
    const lane = lanes.get(partition)
    if (lane === undefined) return
    lanes.delete(partition)
    await dropProducer(lane)
  }
}

async function dropProducer(lane: Lane): Promise<void> {
  const { producer } = lane
  lane.producer = undefined
  await producer?.close()
}

/** The first transaction of a lane is its own and names the carrier; the others go with it. */
function enter(lane: Lane): Passage {
  if (lane.producer === undefined) return lane.carrier.enter()
  return {
    async commit(transaction) {
      await lane.producer?.commit(transaction)
      await dropProducer(lane)
    },
    [Symbol.dispose]: () => undefined,
  }
}

const unwanted = skip('unwanted')

const within = (trace: TraceContext, record: OutgoingRecord): OutgoingRecord => ({
  ...record,
  headers: { ...record.headers, [traceHeader]: toTraceparent(trace) },
})

function reasonOf(error: unknown, lane: Lane | undefined): (typeof replacedBecause)[number] {
  if (isFenced(error)) return 'fenced'
  return lane?.committing === true ? 'outcome-unknown' : 'dependency-away'
}

async function* passing<T>(name: Failpoint, all: AsyncIterable<T>, work: Work): AsyncGenerator<T> {
  for await (const one of all) {
    yield one
    work.cameOn()
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
