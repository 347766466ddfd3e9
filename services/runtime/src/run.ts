// How does a service turn the records of a topic into outcomes, exactly once?
import type { Schemas } from '@churnstream/schemas'
import {
  fused,
  groupOf,
  transactionalIdPrefixOf,
  type Service,
  type Topic,
} from '@churnstream/topology'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'
import { createCarrier, type Carrier, type Passage } from './carrier.ts'
import { RebalanceError, TransientError, isFenced, messageOf } from './errors.ts'
import { failpoint, type Failpoint } from './failpoint.ts'
import { createFollowing } from './following.ts'
import type { Health, Work } from './http.ts'
import type {
  Batch,
  ConsumedRecord,
  ConsumeOptions,
  Kafka,
  TransactionalProducer,
} from './kafka.ts'
import type { Log } from './log.ts'
import { createLoopAccount } from './loop-account.ts'
import type { Metrics, replacedBecause } from './metrics.ts'
import { read, settle, type Input, type Stage } from './stage.ts'
import { carrierReachOf, createFence, joinedReach, reachOf, takeOver } from './take-over.ts'
import { noTracing, type Tracing } from './tracing.ts'
import { isAway, untilUp } from './until-up.ts'

export interface RunOptions<V, W = never> extends Stage<V> {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  /**
   * Further topics, co-partitioned with the first: a partition is one lane over all of them, with one
   * producer and one state. In which order records of different topics come is not promised.
   */
  readonly alongside?: readonly Input<V>[]
  /** What this one writes to its topic it works off in the same transaction. */
  readonly followedBy?: Stage<W>
  readonly signal: AbortSignal
  readonly log: Log
  readonly metrics: Metrics
  readonly health: Health
  /** Where the spans of sampled records go; nowhere unless told. */
  readonly tracing?: Tracing
  readonly sessionTimeoutMs?: number
  /**
   * From one fetch to the next, and so from commit to commit, of who keeps up: longer makes fewer and
   * larger transactions. Who is behind does not wait.
   */
  readonly commitIntervalMs: number
  /** Of a partition in one transaction, at most. */
  readonly recordsPerCommit?: number
}

/** Records per transaction at most: bounds replay, heartbeat gaps and the pause of a model swap. */
const chunkRecords = 1_000
const retryMinMs = 100
const retryMaxMs = 5_000
const heartbeatEveryMs = 1_000
/** So many, in each of eight lanes, hold the process for less than a hundredth of a second. */
const fewRecords = 100

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
  /** Whether one has succeeded: until then each is waited for, so that what fails has its pauses. */
  isProven: boolean
}

/** Where a lane stands in all of its topics. */
const placeOf = (next: ReadonlyMap<string, bigint>): string => [...next].flat().join(' ')

/**
 * Runs until the signal aborts. Per partition and generation: take the partition over (this fences
 * the former owner and ends its transaction), which tells the committed offset; restore the state
 * unless it stands exactly there; go on from that offset. Per chunk: process, then outputs,
 * changelog, dead letters and offset in one transaction, which lanes of the process share. While a
 * batch's last one is under way the next batch is fetched. After any doubt about a transaction its
 * lanes are dropped and opened again by the same steps, so the committed offset tells what happened.
 * See docs/decisions/0002, 0122 and 0126.
 */
export async function run<V, W = never>(options: RunOptions<V, W>): Promise<void> {
  const { kafka, schemas, service, topic, processor, alongside = [], followedBy } = options
  const inputs = new Map<string, Stage<V>>(
    [options, ...alongside].map((input) => [input.topic.name, { ...input, service, processor }]),
  )
  const { signal, log, health } = options
  const { commitIntervalMs, recordsPerCommit = chunkRecords } = options
  const group = groupOf(service)
  const others = alongside.map((input) => input.topic)
  const accountOf = (service: Service, inputs: readonly [Topic, ...Topic[]]) =>
    createLoopAccount({
      metrics: options.metrics,
      service,
      inputs,
      written: reachOf(service, inputs[0], 0, inputs.slice(1)).partitions.map(({ topic }) => topic),
      log,
      tracing: options.tracing ?? noTracing,
    })
  const account = accountOf(service, [topic, ...others])
  const ownReach = carrierReachOf(service, topic, others)
  const carrierReach = followedBy
    ? joinedReach(ownReach, carrierReachOf(followedBy.service, followedBy.topic))
    : ownReach
  const carrierPrefix = transactionalIdPrefixOf(followedBy ? fused : service)
  const fence = createFence(kafka, carrierReach)
  const nextAccount = followedBy && accountOf(followedBy.service, [followedBy.topic])
  const following =
    followedBy &&
    nextAccount &&
    createFollowing({
      kafka,
      schemas,
      stage: followedBy,
      chunkRecords,
      fence,
      account: nextAccount,
      signal,
      log,
    })
  const member = randomUUID()
  /** The newest generation. */
  let assigned = 0
  let newest: { readonly generation: number; readonly carrier: Promise<Carrier> } | undefined
  const part = `group ${group}`
  const workOn = (partition: number) => health.begin(`${group} ${partition}`)
  const lanes = new Map<number, Lane>()
  /** Lanes that are being opened for the newest assignment, before their first record comes. */
  const opening = new Map<number, { generation: number; lane: Promise<Lane | undefined> }>()
  /** Where the state in memory stands, which outlives lanes. Absent: there is none to trust. */
  const stateAt = new Map<number, string>()
  /** What each lane that was closed had committed last. */
  const answered = new Map<number, ReadonlyMap<string, bigint>>()
  /** Of each partition, until the last batch is committed: its topics share a lane and take turns. */
  const turns = new Map<number, Promise<void>>()
  let lastTurn: Promise<void> = Promise.resolve()
  /** By what nobody waited for. */
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => undefined)

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
    fetchIntervalMs: commitIntervalMs,
    onFetched: cameRound,
    onAssigned(partitions, generation) {
      assigned = generation
      log.info({ topic: topic.name, partitions }, 'partitions assigned')
      for (const partition of new Set([...lanes.keys(), ...stateAt.keys()])) {
        if (partitions.includes(partition)) continue
        void closeLane(partition)
        stateAt.delete(partition)
        processor.state?.release(partition)
      }
      account.assigned(partitions)
      nextAccount?.assigned(partitions)
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
    await Promise.race([consumer.finished, broken.promise])
  } finally {
    signal.removeEventListener('abort', stop)
    await consumer.stop()
    await Promise.all(turns.values())
    await Promise.all([...opening.values()].map(({ lane }) => lane))
    await Promise.all([...lanes.keys()].map(closeLane))
    await newest?.carrier.then((carrier) => carrier.close()).catch(() => undefined)
  }

  async function onBatch(batch: Batch): Promise<void> {
    try {
      await workAtPace(batch)
    } catch (error) {
      // The partitions are assigned anew: what is under way ends before.
      if (error instanceof RebalanceError) await Promise.all(turns.values())
      throw error
    }
  }

  /** Who is behind is given the next batch while the last commit is under way. */
  async function workAtPace(batch: Batch): Promise<void> {
    const nextAt = performance.now() + commitIntervalMs
    await workOff(batch)
    await batch.heartbeat()
    if (batch.remaining > 0n) return
    // Lanes that are fetched together commit together.
    await withHeartbeats(batch, turns.get(batch.partition) ?? Promise.resolve())
    while (!batch.isStale() && !signal.aborted) {
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
   * @returns when all is done but for the last commit, which the next turn waits for
   */
  function inTurn(batch: Batch, work: Work): Promise<void> {
    const { partition } = batch
    let concluded: Promise<void> | undefined
    const turn = (turns.get(partition) ?? Promise.resolve()).then(async () => {
      if (batch.isStale()) return
      try {
        await workThrough(batch, work, (last) => {
          concluded = last
        })
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
      turn.catch(() => undefined).then(() => concluded),
    )
    return turn
  }

  async function workThrough(
    batch: Batch,
    work: Work,
    leave: (concluded: Promise<void>) => void,
  ): Promise<void> {
    const { partition, generation } = batch
    const stage = inputs.get(batch.topic) as Stage<V>
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
    for (let done = 0; done < pending.length;) {
      if (batch.isStale()) return
      await batch.heartbeat()
      const chunk = pending.slice(done, done + recordsPerCommit)
      const { isProven } = current
      const { count, committed } = await workThroughChunk(batch, stage, current, chunk)
      done += count
      const left = pending.length - done
      const waiting = pending[done]
      const unread = batch.remaining > 0n ? pending[done - 1] : undefined
      const oldest = waiting ?? unread
      const reported = committed.then(() => {
        cameRound()
        if (lanes.get(partition) !== current) return
        account.behind(batch.topic, partition, Number(batch.remaining) + left, oldest?.timestampMs)
      })
      if (left === 0 && isProven) leave(conclude(batch, current, reported))
      else await reported
      work.cameOn()
    }
    if (pending.length === 0) {
      account.behind(batch.topic, partition, Number(batch.remaining), undefined)
    }
    const last = batch.records.at(-1)
    if (last !== undefined) batch.resolve(last.offset)
  }

  /** Of a batch that is over. Never rejects: nobody listens. */
  async function conclude(batch: Batch, lane: Lane, committed: Promise<void>): Promise<void> {
    try {
      await comeAgain(batch, lane, committed)
    } catch (error) {
      broken.reject(error)
    }
  }

  /** When the commit failed, its records are fetched once more. */
  async function comeAgain(batch: Batch, lane: Lane, committed: Promise<void>): Promise<void> {
    const { topic: name, partition } = batch
    try {
      await committed
    } catch (error) {
      if (!isAway(error)) throw error
      account.replaced(reasonOf(error, lane))
      // Another generation goes on from what is committed by itself.
      if (lanes.get(partition) !== lane) return
      const next = lane.next.get(name) as bigint
      const reason = messageOf(error)
      log.warn({ topic: name, partition, next: String(next), reason }, 'records come again')
      await closeLane(partition)
      batch.seek(next)
    }
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
    const before = turns.get(partition)
    using work = workOn(partition)
    try {
      await before
      if (generation !== assigned || signal.aborted) return undefined
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
    const id = `${carrierPrefix}${topic.name}.carrier-${member}-${generation}`
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
      answered: answered.get(partition) ?? new Map(),
    })
    work.cameOn()
    try {
      const { state } = processor
      if (state && stateAt.get(partition) !== placeOf(next)) {
        stateAt.delete(partition)
        const startedAt = performance.now()
        const { name } = state.changelog
        // Up to where it ends, not where it is stable: our carrier's last markers may be on their way.
        const end = (await kafka.endOffsets(name))[partition]
        const entries = kafka.read(name, partition, undefined, end)
        const changelog = passing('mid-restore', entries, work)
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
      await following?.open(partition, carrier.id, work)
      const lane: Lane = {
        generation,
        carrier,
        producer,
        next,
        begun: new Set(),
        committing: false,
        isProven: false,
      }
      if (following && !isNamed) await nameCarrier(lane, partition)
      if (following || isNamed) await dropProducer(lane)
      lanes.set(partition, lane)
      return lane
    } catch (error) {
      await producer.close()
      throw error
    }
  }

  /** Who takes over the next stage's part looks for a carrier, and not for the producer of this lane. */
  async function nameCarrier({ producer, carrier, next }: Lane, partition: number): Promise<void> {
    const offset = { groupId: group, topic: topic.name, partition, metadata: carrier.id }
    await producer?.commit({
      records: [],
      offsets: [{ ...offset, next: next.get(topic.name) as bigint }],
    })
  }

  function cameRound(): void {
    account.cameRound()
    nextAccount?.cameRound()
  }

  /**
   * @returns once its transaction is complete but for its commit, and how many of the records are in it,
   * from the first one on: not all, if they are too much
   */
  async function workThroughChunk(
    batch: Batch,
    stage: Stage<V>,
    lane: Lane,
    chunk: readonly ConsumedRecord[],
  ): Promise<{ readonly count: number; readonly committed: Promise<void> }> {
    const { partition } = batch
    const startedAt = performance.now()
    using passage = enter(lane)
    failpoint('after-poll')
    if (chunk.length > fewRecords) await nextTurn()
    const decoded = await read(stage, partition, chunk, schemas, signal)
    stateAt.delete(partition)
    const worked = await settle(stage, partition, decoded)
    const next = (worked.chunk.at(-1) as ConsumedRecord).offset + 1n
    lane.committing = true
    failpoint('after-process')
    const metadata = lane.carrier.id
    const along = following?.along(partition, metadata, worked.written)
    const commit = passage.commit({
      records: worked.written,
      offsets: [{ groupId: group, topic: stage.topic.name, partition, next, metadata }],
      ...(along && { follow: along.follow }),
    })
    const committed = commit.then(() => {
      lane.committing = false
      failpoint('after-commit')
      lane.isProven = true
      lane.next.set(stage.topic.name, next)
      // The partition has gone meanwhile: state and counts are another's.
      if (lanes.get(partition) !== lane) return
      if (processor.state) stateAt.set(partition, placeOf(lane.next))
      account.committed({ ...worked, seconds: (performance.now() - startedAt) / 1000 })
      along?.committed()
    })
    return { count: worked.chunk.length, committed }
  }

  /**
   * Chunks of lanes that were fetched together follow each other only from turn to turn of the event
   * loop: in between the process hears of its timers and sockets, and what is done already departs.
   */
  function nextTurn(): Promise<void> {
    return (lastTurn = lastTurn.then(() => immediate()))
  }

  async function closeLane(partition: number): Promise<void> {
    const lane = lanes.get(partition)
    if (lane === undefined) return
    lanes.delete(partition)
    answered.set(partition, lane.next)
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
