// How does kafkajs fill the Kafka port?
import type {
  Admin,
  Consumer as KafkajsConsumer,
  EachBatchPayload,
  Kafka as KafkajsClient,
  Message,
  Producer as KafkajsProducer,
  RecordMetadata,
  SASLOptions,
  TopicMessages,
  Transaction as KafkajsTransaction,
  logLevel,
} from 'kafkajs'
import { setTimeout as delay } from 'node:timers/promises'
import { FatalError, RebalanceError, TransientError, messageOf } from '../errors.ts'
import { failpoint } from '../failpoint.ts'
import type {
  CommittedOffset,
  ConsumedRecord,
  ConsumeOptions,
  Follower,
  GroupConsumer,
  Kafka,
  Lookup,
  OutgoingRecord,
  Placed,
  Producer,
  TopicSpec,
  Transaction,
  TransactionalProducer,
} from '../kafka.ts'
import type { KafkaConnection } from '../kafka-connection.ts'
import type { Log } from '../log.ts'
import { coPartitioned } from './co-partitioned.ts'
import { loadKafkajs } from './install.ts'
import { PartitionReader, readPartition, readRange } from './partition-reader.ts'
import { reachOf } from './transaction-manager.ts'

export interface KafkajsOptions extends KafkaConnection {
  readonly clientId: string
  readonly log: Log
  /** How long a transaction may stay open before the broker aborts it. */
  readonly transactionTimeoutMs?: number
}

export function toSasl(sasl: NonNullable<KafkaConnection['sasl']>): SASLOptions {
  if (!('token' in sasl)) return { mechanism: 'scram-sha-512', ...sasl }
  const oauthBearerProvider = async () => ({ value: await sasl.token() })
  return { mechanism: 'oauthbearer', oauthBearerProvider }
}

const requestTimeoutMs = 20_000
const transactionTimeoutMs = 20_000
/** Longer than a transaction may take, so that work in flight drains before a reassignment. */
const rebalanceTimeoutMs = 60_000
const sessionTimeoutMs = 6_000
/** Where nothing comes; a member can't leave its group while it waits. */
const fetchWaitMs = 100
const idleFetchWaitMs = 2_500
const fetchMaxBytesPerPartition = 1 << 20
/** Below the brokers' max.message.bytes of 1 MiB with room for what the encoding adds. */
const sendMaxBytes = 700_000
const recordOverheadBytes = 100

/** Connects nothing yet: each part connects when it is opened. */
export function createKafkajsKafka(options: KafkajsOptions): Kafka {
  const kafkajs = loadKafkajs()
  const { log, tls, sasl } = options
  const client = new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    ...(sasl === undefined ? {} : { sasl: toSasl(sasl) }),
    connectionTimeout: 5_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 8 },
    logCreator: logCreator(log),
  })
  let admin: Promise<Admin> | undefined

  function openAdmin(): Promise<Admin> {
    admin ??= (async () => {
      const opened = client.admin()
      await opened.connect()
      return opened
    })().catch((error: unknown) => {
      admin = undefined
      throw error
    })
    return admin
  }

  async function offsetsOf(topic: string, which: 'low' | 'high'): Promise<bigint[]> {
    const offsets = await (await openAdmin()).fetchTopicOffsets(topic)
    return offsets.sort((a, b) => a.partition - b.partition).map((offset) => BigInt(offset[which]))
  }

  async function committedOf(groupId: string, topic: string, partition: number) {
    const [entry] = await (await openAdmin()).fetchOffsets({ groupId, topics: [topic] })
    return entry?.partitions.find((offset) => offset.partition === partition)
  }

  return {
    consume: (consumeOptions) => consume(client, consumeOptions, log),

    async openTransactional(transactionalId, reach) {
      reachOf.set(transactionalId, reach)
      const producer = client.producer({
        transactionalId,
        maxInFlightRequests: 1,
        transactionTimeout: options.transactionTimeoutMs ?? transactionTimeoutMs,
        allowAutoTopicCreation: false,
        metadataMaxAge: 60_000,
        // CONCURRENT_TRANSACTIONS ends within milliseconds.
        retry: { initialRetryTime: 10, maxRetryTime: 500, retries: 12 },
      })
      return attempt(`opening producer ${transactionalId}`, async () => {
        try {
          await producer.connect()
          // Its InitProducerId fences the former owner; the transaction itself is the first to use.
          const first = await producer.transaction()
          return new KafkajsTransactionalProducer(producer, first, transactionalId)
        } catch (error) {
          await disconnect(producer)
          throw error
        }
      })
    },

    async openProducer() {
      const producer = client.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 6 },
      })
      return attempt('opening a producer', async () => {
        await producer.connect()
        return new KafkajsIdempotentProducer(producer)
      })
    },

    committedOffset: (groupId, topic, partition) =>
      attempt(`reading the committed offset of ${groupId} in ${topic}-${partition}`, async () => {
        const committed = (await committedOf(groupId, topic, partition))?.offset
        if (committed !== undefined && committed !== '-1') return BigInt(committed)
        const offsets = await (await openAdmin()).fetchTopicOffsets(topic)
        const low = offsets.find((offset) => offset.partition === partition)?.low
        if (low === undefined) throw new FatalError(`topic ${topic} has no partition ${partition}`)
        return BigInt(low)
      }),

    committedMetadata: (groupId, topic, partition) =>
      attempt(
        `reading what ${groupId} committed beside its offset in ${topic}-${partition}`,
        async () => (await committedOf(groupId, topic, partition))?.metadata ?? '',
      ),

    firstOffsets: (topic) =>
      attempt(`reading the first offsets of ${topic}`, () => offsetsOf(topic, 'low')),

    endOffsets: (topic) =>
      attempt(`reading the end offsets of ${topic}`, () => offsetsOf(topic, 'high')),

    read: (topic, partition, from, end) =>
      attemptAll(
        `reading ${topic}-${partition}`,
        readPartition(client, topic, partition, from, end),
      ),

    openLookup: (topic) => openLookup(client, topic),

    follow: (topic, onRecords, followOptions) =>
      follow(client, openAdmin, topic, onRecords, followOptions?.from ?? 'start', log),

    ensureTopics: (specs) =>
      attempt('creating topics', async () => ensureTopics(await openAdmin(), specs)),

    async close() {
      await admin?.then((opened) => opened.disconnect())
    },
  }
}

async function consume(
  client: KafkajsClient,
  options: ConsumeOptions,
  log: Log,
): Promise<GroupConsumer> {
  const session = options.sessionTimeoutMs ?? sessionTimeoutMs
  const { topic, alongside = [], fetchIntervalMs = 0, partitions = new Map() } = options
  const consumer = client.consumer({
    groupId: options.groupId,
    ...(alongside.length === 0 && partitions.size === 0
      ? {}
      : { partitionAssigners: [coPartitioned(partitions)] }),
    sessionTimeout: session,
    rebalanceTimeout: rebalanceTimeoutMs,
    heartbeatInterval: Math.min(3_000, Math.floor(session / 4)),
    maxWaitTimeInMs: Math.min(Math.max(fetchIntervalMs, fetchWaitMs), idleFetchWaitMs),
    minBytes: 1,
    maxBytesPerPartition: fetchMaxBytesPerPartition,
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    // A broker that is away is waited for, however long.
    retry: {
      initialRetryTime: 100,
      maxRetryTime: 3_000,
      retries: 10,
      restartOnFailure: async () => true,
    },
  })
  const finished = Promise.withResolvers<void>()
  // The caller may look at it only after stop.
  finished.promise.catch(() => undefined)
  let generation = 0
  let failed = false
  let stopping: Promise<void> | undefined

  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      await consumer.disconnect()
      finished.resolve()
    })())
  const fail = (error: unknown): void => {
    if (failed) return
    failed = true
    finished.reject(error)
    void stop()
  }

  const isOver = (of: number) => (): boolean => failed || generation !== of

  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    generation++
    const owned = new Set(Object.values(payload.memberAssignment).flat())
    options.onAssigned([...owned], generation)
  })
  consumer.on(consumer.events.FETCH, () => options.onFetched?.())
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) log.warn({ reason: messageOf(payload.error) }, 'the consumer restarts')
    else fail(new FatalError(`the consumer of ${topic} ended`, { cause: payload.error }))
  })

  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic, ...alongside], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 64,
      eachBatch: async (payload) => {
        if (failed) return
        try {
          await options.onBatch(toBatch(payload, generation, consumer, isOver(generation)))
        } catch (error) {
          // kafkajs knows what to do with its own error: it rejoins.
          if (error instanceof RebalanceError) throw error.cause
          fail(error)
        }
      },
    })
  } catch (error) {
    await consumer.disconnect().catch(() => undefined)
    throw sorted(`joining group ${options.groupId}`, error)
  }
  return { finished: finished.promise, stop }
}

function toBatch(
  payload: EachBatchPayload,
  generation: number,
  consumer: KafkajsConsumer,
  isOver: () => boolean,
) {
  const { batch } = payload
  const { topic, partition } = batch
  return {
    topic,
    partition,
    generation,
    fetchedOffset: BigInt((batch as unknown as { fetchedOffset: string }).fetchedOffset),
    remaining: BigInt(batch.offsetLag()),
    // Ours: see fetched-batch.ts.
    records: batch.messages as unknown as readonly ConsumedRecord[],
    isStale: () => isOver() || payload.isStale() || !payload.isRunning(),
    heartbeat: async () => {
      try {
        await payload.heartbeat()
      } catch (error) {
        throw new RebalanceError(`the membership of ${topic}-${partition} ended`, { cause: error })
      }
    },
    resolve: (offset: bigint) => {
      if (!isOver()) payload.resolveOffset(String(offset))
    },
    seek(offset: bigint) {
      if (isOver()) return
      try {
        consumer.seek({ topic, partition, offset: String(offset) })
      } catch (error) {
        // It has left its group: whoever joins begins at what is committed.
        if ((error as Error).name !== 'KafkaJSNonRetriableError') throw error
      }
    },
  }
}

class KafkajsTransactionalProducer implements TransactionalProducer {
  readonly #producer: KafkajsProducer
  readonly #id: string
  #next: KafkajsTransaction | undefined

  constructor(producer: KafkajsProducer, first: KafkajsTransaction, id: string) {
    this.#producer = producer
    this.#next = first
    this.#id = id
  }

  async commit({ records, offsets = [], follow }: Transaction): Promise<void> {
    const what = `committing as ${this.#id}`
    const { transaction, placed } = await attempt(what, async () => {
      const transaction = this.#next ?? (await this.#producer.transaction())
      this.#next = undefined
      const sent = await sendWithOffsets(transaction, records, offsets)
      return { transaction, placed: follow && placesOf(records, sent) }
    })
    const more = placed && (await follow?.(placed))
    await attempt(what, async () => {
      if (more) await sendWithOffsets(transaction, more.records, more.offsets ?? [])
      failpoint('before-commit')
      await transaction.commit()
    })
  }

  close(): Promise<void> {
    return disconnect(this.#producer)
  }
}

class KafkajsIdempotentProducer implements Producer {
  readonly #producer: KafkajsProducer
  constructor(producer: KafkajsProducer) {
    this.#producer = producer
  }

  send(records: readonly OutgoingRecord[]): Promise<Placed[]> {
    return attempt('sending', async () => placesOf(records, await sendAll(this.#producer, records)))
  }

  close(): Promise<void> {
    return disconnect(this.#producer)
  }
}

/**
 * Both at once, as neither waits for the other: two answers less to wait for. Each tells the
 * coordinator first what it will write.
 */
async function sendWithOffsets(
  transaction: KafkajsTransaction,
  records: readonly OutgoingRecord[],
  offsets: readonly CommittedOffset[],
): Promise<Sent[]> {
  const [sent, ...others] = await Promise.allSettled([
    sendAll(transaction, records).finally(() => failpoint('after-produce')),
    ...[...Map.groupBy(offsets, ({ groupId }) => groupId)].map(([consumerGroupId, own]) =>
      transaction.sendOffsets({ consumerGroupId, topics: toTopicOffsets(own) }),
    ),
  ])
  for (const other of others) if (other.status === 'rejected') throw other.reason
  if (sent.status === 'rejected') throw sent.reason
  if (offsets.length > 0) failpoint('after-send-offsets')
  return sent.value
}

/** The records of one request, by how many they were, and what was answered. */
interface Sent {
  readonly count: number
  readonly answers: readonly RecordMetadata[]
}

async function sendAll(
  sender: Pick<KafkajsTransaction, 'sendBatch'>,
  records: readonly OutgoingRecord[],
): Promise<Sent[]> {
  const sent: Sent[] = []
  for (const topicMessages of slices(records)) {
    const count = topicMessages.reduce((sum, { messages }) => sum + messages.length, 0)
    sent.push({ count, answers: await sender.sendBatch({ topicMessages, acks: -1 }) })
  }
  return sent
}

/** Within a partition the broker numbers records in the order in which they were sent. */
function placesOf(records: readonly OutgoingRecord[], sent: readonly Sent[]): Placed[] {
  const placed: Placed[] = []
  for (const { count, answers } of sent) {
    const next = new Map(
      answers.map(({ topicName, partition, baseOffset }) => [
        `${topicName} ${partition}`,
        BigInt(baseOffset as string),
      ]),
    )
    for (const { topic, partition } of records.slice(placed.length, placed.length + count)) {
      const key = `${topic} ${partition}`
      const offset = next.get(key)
      if (offset === undefined) throw new Error(`no answer for ${key}`)
      next.set(key, offset + 1n)
      placed.push({ partition, offset })
    }
  }
  return placed
}

const toTopicOffsets = (offsets: readonly CommittedOffset[]) =>
  [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition, next, metadata = null }) => ({
      partition,
      offset: String(next),
      metadata,
    })),
  }))

/** Groups records by topic, in parts of which a broker can take each partition's as one batch. */
export function* slices(records: readonly OutgoingRecord[]): Generator<TopicMessages[]> {
  let byTopic = new Map<string, { readonly records: OutgoingRecord[]; readonly bytes: number[] }>()
  for (const record of records) {
    const { topic, partition, key, value, headers } = record
    const named = headers === undefined ? 0 : bytesOf(headers)
    const size = recordOverheadBytes + (value?.length ?? 0) + (key?.length ?? 0) + named
    let own = byTopic.get(topic)
    if (own !== undefined && (own.bytes[partition] ?? 0) + size > sendMaxBytes) {
      yield toTopicMessages(byTopic)
      byTopic = new Map()
      own = undefined
    }
    if (own === undefined) {
      own = { records: [], bytes: [] }
      byTopic.set(topic, own)
    }
    own.records.push(record)
    own.bytes[partition] = (own.bytes[partition] ?? 0) + size
  }
  if (byTopic.size > 0) yield toTopicMessages(byTopic)
}

function bytesOf(headers: Readonly<Record<string, Buffer | string>>): number {
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) bytes += name.length + value.length
  return bytes
}

/** kafkajs hands them through to our own request as they are: see produce-request.ts. */
const toTopicMessages = (
  byTopic: ReadonlyMap<string, { readonly records: readonly OutgoingRecord[] }>,
): TopicMessages[] =>
  [...byTopic].map(([topic, { records }]) => ({
    topic,
    messages: records as unknown as Message[],
  }))

/** One request at a time: a lookup that failed connects anew. */
function openLookup(client: KafkajsClient, topic: string): Lookup {
  let reader: PartitionReader | undefined
  let tail: Promise<unknown> = Promise.resolve()
  const close = async (): Promise<void> => {
    await reader?.close()
    reader = undefined
  }
  const read = (partition: number, from: bigint, to: bigint): Promise<ConsumedRecord[]> =>
    attempt(`looking up ${topic}-${partition} at ${from}`, async () => {
      try {
        if (reader === undefined) {
          reader = new PartitionReader(client, topic)
          await reader.open()
        }
        return await readRange(reader, partition, from, to)
      } catch (error) {
        await close().catch(() => undefined)
        throw error
      }
    })
  return {
    read(partition, from, to) {
      const turn = tail.then(() => read(partition, from, to))
      tail = turn.catch(() => undefined)
      return turn
    },
    async close() {
      await tail
      await close()
    },
  }
}

const followRetryMs = 500
const followWaitMs = 1_000

function follow(
  client: KafkajsClient,
  openAdmin: () => Promise<Admin>,
  topic: string,
  onRecords: (records: readonly ConsumedRecord[], partition: number) => void,
  from: 'start' | 'end',
  log: Log,
): Follower {
  const controller = new AbortController()
  const caughtUp = Promise.withResolvers<void>()
  caughtUp.promise.catch(() => undefined)
  let reader: PartitionReader | undefined

  const finished = (async () => {
    const offsets = await patiently(async () => (await openAdmin()).fetchTopicOffsets(topic))
    const ends = new Map(offsets?.map(({ partition, high }) => [partition, BigInt(high)]))
    const positions = new Map(
      offsets?.map(({ partition, low, high }) => [
        partition,
        BigInt(from === 'start' ? low : high),
      ]),
    )
    while (!controller.signal.aborted) {
      if ([...ends].every(([partition, end]) => (positions.get(partition) ?? 0n) >= end)) {
        caughtUp.resolve()
      }
      const fetched = await patiently(async () => {
        if (reader === undefined) {
          reader = new PartitionReader(client, topic)
          await reader.open()
        }
        return reader.fetch(positions, followWaitMs)
      })
      for (const { partition, records, next } of fetched ?? []) {
        positions.set(partition, next)
        if (records.length > 0) onRecords(records, partition)
      }
    }
  })()
  finished.catch((error: unknown) => caughtUp.reject(error))

  async function patiently<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!controller.signal.aborted) {
      try {
        return await attempt(`following ${topic}`, work)
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        log.warn({ topic, reason: messageOf(error) }, 'following goes on after a pause')
        await new Promise((resolve) => setTimeout(resolve, followRetryMs))
      }
    }
    return undefined
  }

  return {
    caughtUp: caughtUp.promise,
    finished,
    async stop() {
      controller.abort()
      await finished.catch(() => undefined)
      await reader?.close()
      reader = undefined
    },
  }
}

const newTopicMs = 10_000
const newTopicPauseMs = 100

/** A broker may not know yet what another one, or it itself, has just made. */
async function ensureTopics(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  const deadline = performance.now() + newTopicMs
  for (;;) {
    try {
      return await createMissing(admin, specs)
    } catch (error) {
      const isNew = /UNKNOWN_TOPIC_OR_PARTITION|LEADER_NOT_AVAILABLE/.test(typesOf(error))
      if (!isNew || performance.now() > deadline) throw error
      await delay(newTopicPauseMs)
    }
  }
}

async function createMissing(admin: Admin, specs: readonly TopicSpec[]): Promise<void> {
  const existing = new Set(await admin.listTopics())
  const missing = specs.filter(({ name }) => !existing.has(name))
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ name, partitions, config }) => ({
        topic: name,
        numPartitions: partitions,
        configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
      })),
    })
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) })
  for (const spec of specs) {
    const found = topics.find(({ name }) => name === spec.name)?.partitions.length
    if (found === spec.partitions) continue
    throw new FatalError(
      `topic ${spec.name} has ${found ?? 0} partitions and the topology says ${spec.partitions}: ` +
        'players would change lanes. Make a new topic, or set the topology to what exists.',
    )
  }
}

const forbidden =
  /AUTHORIZATION_FAILED|SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL|UNKNOWN_TOPIC_OR_PARTITION|MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|UNSUPPORTED_VERSION|INVALID_CONFIG/

/** Names what was attempted, and sorts the error by who must act. */
async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw sorted(what, error)
  }
}

async function* attemptAll<T>(what: string, all: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* all
  } catch (error) {
    throw sorted(what, error)
  }
}

function sorted(what: string, error: unknown): unknown {
  if (error instanceof FatalError || error instanceof TransientError) return error
  if (error instanceof TypeError || error instanceof RangeError) return error
  if (forbidden.test(typesOf(error))) return new FatalError(what, { cause: error })
  return new TransientError(what, { cause: error })
}

function typesOf(error: unknown): string {
  const { type, cause } = (error ?? {}) as { type?: string; cause?: unknown }
  return `${type ?? wrongPassword(error)} ${cause === undefined ? '' : typesOf(cause)}`
}

/** kafkajs drops the type, and says the same of a connection that broke on the way. */
const wrongPassword = (error: unknown): string =>
  error instanceof Error && /: .*invalid credentials/.test(error.message)
    ? 'SASL_AUTHENTICATION_FAILED'
    : ''

/** What it leaves open is fenced by the next producer of the id, so a failure here changes nothing. */
async function disconnect(producer: KafkajsProducer): Promise<void> {
  await producer.disconnect().catch(() => undefined)
}

/** kafkajs's logLevel.WARN. */
const warnLevel = 2

function logCreator(log: Log) {
  return () =>
    ({
      level,
      namespace,
      log: entry,
    }: {
      level: logLevel
      namespace: string
      log: { message: string }
    }) => {
      const { message, ...rest } = entry
      const fields = { kafkajs: namespace, ...rest }
      // A connection reports every refused request, most of which are retried; what matters is thrown.
      if ((level as number) <= warnLevel && namespace !== 'Connection') log.warn(fields, message)
      else log.debug(fields, message)
    }
}
