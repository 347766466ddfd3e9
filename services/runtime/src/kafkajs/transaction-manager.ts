// What may an idempotent or transactional producer do next, given what the brokers answered?
import { ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reach } from '../kafka.ts'
import { describeTransaction, type Encoder, type ProtocolRequest } from './describe-transaction.ts'

type State = 'uninitialized' | 'ready' | 'transacting' | 'committing' | 'aborting' | 'finished'

interface ProducerIdentity {
  transactionalId: string | undefined
  producerId: string | number
  producerEpoch: number
}

interface TopicOffsets {
  topic: string
  partitions: readonly { partition: number; offset: string; metadata?: string | null }[]
}

interface TopicPartitions {
  topic: string
  partitions: readonly { partition: number | string }[]
}

/** The requests of kafkajs' Broker that a transaction needs. */
export interface Broker {
  isConnected(): boolean
  nodeId: number | string
  initProducerId(request: {
    transactionalId: string | undefined
    transactionTimeout: number
  }): Promise<{ producerId: string; producerEpoch: number }>
  addPartitionsToTxn(
    request: ProducerIdentity & { topics: { topic: string; partitions: (number | string)[] }[] },
  ): Promise<unknown>
  addOffsetsToTxn(request: ProducerIdentity & { groupId: string }): Promise<unknown>
  txnOffsetCommit(
    request: ProducerIdentity & { groupId: string; topics: readonly TopicOffsets[] },
  ): Promise<unknown>
  endTxn(request: ProducerIdentity & { transactionResult: boolean }): Promise<unknown>
  connectionPool: { send<T>(request: ProtocolRequest<T>): Promise<T> }
}

/** The part of kafkajs' Cluster that a transaction needs. */
export interface Cluster {
  refreshMetadataIfNecessary(): Promise<unknown>
  findControllerBroker(): Promise<Broker>
  findGroupCoordinator(request: { groupId: string; coordinatorType: number }): Promise<Broker>
}

export interface Internals {
  Encoder: new () => Encoder
}

export interface Backoff {
  firstMs: number
  longestMs: number
  /** No attempt starts later than this after the first. */
  totalMs: number
}

interface Options {
  logger: { debug(message: string, extra?: object): void }
  cluster: Cluster
  transactionTimeout?: number
  transactional: boolean
  transactionalId?: string
}

/**
 * What the transactions of a transactional.id may write to, told before its producer is opened. By
 * name, because kafkajs makes the manager itself and passes nothing else on.
 */
export const reachOf = new Map<string, Reach>()

export type TransactionManager = ReturnType<ReturnType<typeof transactionManagers>>

const NO_PRODUCER_ID = -1
const GROUP = 0
const TRANSACTION = 1
const MAX_SEQUENCE = 2 ** 31 - 1
const DEFAULT_BACKOFF: Backoff = { firstMs: 5, longestMs: 250, totalMs: 15_000 }

// kafkajs' error table has the first name of each pair for codes 14 to 16, Kafka has the second.
const LOADING = ['GROUP_LOAD_IN_PROGRESS', 'COORDINATOR_LOAD_IN_PROGRESS']
const MOVED = new Set([
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_COORDINATOR',
])
const ASK_AGAIN = new Set([...LOADING, ...MOVED, 'CONCURRENT_TRANSACTIONS'])
const ASK_AGAIN_OFFSETS = new Set([...ASK_AGAIN, 'UNKNOWN_TOPIC_OR_PARTITION'])

// Refusals of one request that leave the transaction open: it can still be aborted. Whatever is
// not named here or above counts as fenced or of unknown outcome.
const REFUSED = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'OPERATION_NOT_ATTEMPTED',
  'OFFSET_METADATA_TOO_LARGE',
  'INVALID_COMMIT_OFFSET_SIZE',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
])
const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
])
const NOTHING_REFUSED: ReadonlySet<string> = new Set()

/** This producer is finished; make a new one with the same transactional.id to fence it. */
export class ReplaceProducerError extends Error {
  override readonly name = 'ReplaceProducerError'
  // kafkajs' retrier reads this.
  readonly retriable = false
  readonly reason: string

  constructor(producer: string, reason: string, options?: ErrorOptions) {
    super(`the producer ${producer} must be replaced: ${reason}`, options)
    this.reason = reason
  }
}

/**
 * Says whether an error means that the producer is finished. Needed beside the class because
 * kafkajs throws a fenced send past the manager, and wraps some errors.
 */
export function mustReplaceProducer(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof ReplaceProducerError || FENCED.has(typeOf(e))) return true
  }
  return false
}

export class TransactionStateError extends Error {
  override readonly name = 'TransactionStateError'
  readonly retriable = false
}

/** The sequence of the batch after one of `count` records (Kafka: 2^31-1 is followed by 0). */
export function sequenceAfter(sequence: number, count: number): number {
  if (count < 0) return sequenceBefore(sequence, -count)
  return sequence > MAX_SEQUENCE - count ? count - (MAX_SEQUENCE - sequence) - 1 : sequence + count
}

function sequenceBefore(sequence: number, count: number): number {
  return sequence < count ? MAX_SEQUENCE - (count - sequence) + 1 : sequence - count
}

/** Makes what takes the place of kafkajs' producer/eosManager/index.js, with the same interface. */
export function transactionManagers({ Encoder }: Internals, backoff = DEFAULT_BACKOFF) {
  return function createTransactionManager({
    logger,
    cluster,
    transactionTimeout = 60_000,
    transactional,
    transactionalId,
  }: Options) {
    if (transactional && !transactionalId) {
      throw new TransactionStateError('a transactional producer needs a transactionalId')
    }

    const producer = transactionalId ? `with transactional.id "${transactionalId}"` : '(idempotent)'
    let state: State = 'uninitialized'
    let finishedBy: ReplaceProducerError | undefined
    let producerId: string | number = NO_PRODUCER_ID
    let producerEpoch = 0
    let sequences = new Map<string, number>()
    let transaction = newTransaction()

    // Partitions whose last send failed, so that their sequence numbers were taken back. Only a
    // resend of the same records may use those numbers again: a broker that has them already takes
    // anything else for a duplicate and drops it.
    const takenBack = new Set<string>()

    function identity(): ProducerIdentity {
      return { transactionalId, producerId, producerEpoch }
    }

    function finish(reason: string, cause?: unknown): ReplaceProducerError {
      state = 'finished'
      finishedBy ??= new ReplaceProducerError(producer, reason, { cause })
      logger.debug(finishedBy.message)
      return finishedBy
    }

    function demand(method: string, ...allowed: State[]): void {
      if (!transactional && method !== 'initProducerId') {
        throw new TransactionStateError(`${method}: the producer is not transactional`)
      }
      // A new error each time, so that its stack shows the call that came too late.
      if (finishedBy) {
        const reason = `${finishedBy.reason}; ${method} comes too late`
        throw new ReplaceProducerError(producer, reason, { cause: finishedBy.cause })
      }
      if (!allowed.includes(state)) {
        throw new TransactionStateError(`${method} is not possible while the producer is ${state}`)
      }
    }

    // Stock kafkajs asks for the coordinator before each step, which doubles a small transaction's
    // requests. A coordinator that moved says so; a lost connection is seen before it is used again.
    const coordinators = new Map<string, Broker>()

    async function coordinatorOf(
      groupId: string,
      coordinatorType: number,
      again: boolean,
    ): Promise<Broker> {
      const key = `${coordinatorType} ${groupId}`
      const known = coordinators.get(key)
      if (known?.isConnected() && !again) return known
      const found = await cluster.findGroupCoordinator({ groupId, coordinatorType })
      coordinators.set(key, found)
      return found
    }

    const findTransactionCoordinator = (again: boolean): Promise<Broker> =>
      coordinatorOf(transactionalId ?? '', TRANSACTION, again)

    // Sends until the answer is not one of those after which the same request may be sent again.
    // Never resends after silence: a late request could end the next transaction (KIP-890).
    async function askUntilAnswered<T>(
      find: (again: boolean) => Promise<Broker>,
      send: (broker: Broker) => Promise<T>,
      askAgain: ReadonlySet<string>,
      stillWanted: () => void,
    ): Promise<T> {
      const lastStart = performance.now() + backoff.totalMs
      let waitMs = backoff.firstMs
      let broker: Broker | undefined
      let moved = false
      for (;;) {
        broker ??= await find(moved).catch((cause: unknown) => {
          throw new CoordinatorNotFound(cause)
        })
        stillWanted()
        try {
          return await send(broker)
        } catch (error) {
          const type = typeOf(error)
          if (!askAgain.has(type) || performance.now() + waitMs > lastStart) throw error
          moved = MOVED.has(type)
          if (moved) broker = undefined
          logger.debug(`${type}, asking again in ${waitMs} ms`, { transactionalId })
        }
        await sleep(waitMs)
        waitMs = Math.min(waitMs * 2, backoff.longestMs)
        stillWanted()
      }
    }

    // The error to throw when a step of an open transaction failed for good.
    function failed(what: string, error: unknown, refusals: ReadonlySet<string>): unknown {
      if (error instanceof ReplaceProducerError || error instanceof TransactionStateError) {
        return error
      }
      if (error instanceof CoordinatorNotFound) return error.cause
      if (refusals.has(typeOf(error))) return error
      return finish(
        `${what} failed (${describe(error)}); it may or may not have taken effect`,
        error,
      )
    }

    function inThis(current: Transaction, method: string): () => void {
      return () => {
        demand(method, 'transacting')
        if (transaction !== current) {
          throw new TransactionStateError(`${method}: its transaction has ended meanwhile`)
        }
      }
    }

    const describeLast = (stillWanted: () => void) =>
      askUntilAnswered(
        findTransactionCoordinator,
        (broker) =>
          broker.connectionPool.send(
            describeTransaction(transactionalId ?? '', () => new Encoder()),
          ),
        ASK_AGAIN,
        stillWanted,
      )

    async function fence(stillWanted: () => void): Promise<void> {
      const find = transactional ? findTransactionCoordinator : () => cluster.findControllerBroker()
      const result = await askUntilAnswered(
        find,
        (broker) =>
          broker.initProducerId({
            transactionalId: transactional ? transactionalId : undefined,
            transactionTimeout,
          }),
        ASK_AGAIN,
        stillWanted,
      )
      producerId = result.producerId
      producerEpoch = result.producerEpoch
    }

    // A coordinator takes a partition without a leader for a deleted one and leaves its marker out
    // (TransactionMarkerChannelManager, Kafka 4.3.1), which a broker that comes back from a crash
    // meets. The records stay open, and the next transaction of the producer would decide over them.
    // So the decision that was taken is written once more, to every partition it may concern.
    async function settle(
      { partitions, groupIds = [] }: Reach,
      wasCommitted: boolean,
    ): Promise<void> {
      const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, places]) => ({
        topic,
        partitions: places.map(({ partition }) => partition),
      }))
      const ask = (send: (broker: Broker) => Promise<unknown>) =>
        askUntilAnswered(findTransactionCoordinator, send, ASK_AGAIN_OFFSETS, () => undefined)
      await ask((broker) => broker.addPartitionsToTxn({ ...identity(), topics }))
      for (const groupId of groupIds) {
        await ask((broker) => broker.addOffsetsToTxn({ ...identity(), groupId }))
      }
      await ask((broker) => broker.endTxn({ ...identity(), transactionResult: wasCommitted }))
    }

    async function end(method: 'commit' | 'abort'): Promise<void> {
      demand(method, 'transacting')
      const ending: State = method === 'commit' ? 'committing' : 'aborting'
      state = ending
      if (transaction.partitions.size > 0 || transaction.hasOffsets) {
        try {
          await askUntilAnswered(
            findTransactionCoordinator,
            (broker) => broker.endTxn({ ...identity(), transactionResult: method === 'commit' }),
            ASK_AGAIN,
            () => demand(method, ending),
          )
        } catch (error) {
          // Also when no coordinator was found: commit and abort either succeed or are the last
          // call, so a caller has one rule to follow.
          const cause = error instanceof CoordinatorNotFound ? error.cause : error
          throw failed(method, cause, NOTHING_REFUSED)
        }
      }
      transaction = newTransaction()
      if (takenBack.size > 0) {
        finish('a send failed, so the next sequence number is unknown')
      } else if (state === ending) {
        state = 'ready'
      }
    }

    return {
      getProducerId: () => producerId,
      getProducerEpoch: () => producerEpoch,
      getTransactionalId: () => transactionalId,
      isInitialized: () => producerId !== NO_PRODUCER_ID,
      isTransactional: () => transactional,
      isInTransaction: () => state === 'transacting',

      /**
       * Fences the former producer of the id, and settles what its last transaction left. Its failure
       * leaves the state as it was: a repeat does what a new producer would do.
       */
      async initProducerId(): Promise<void> {
        const stillWanted = () => demand('initProducerId', 'uninitialized', 'ready')
        stillWanted()
        await cluster.refreshMetadataIfNecessary()
        const reach = transactional ? reachOf.get(transactionalId ?? '') : undefined
        try {
          const before = reach && (await describeLast(stillWanted))
          await fence(stillWanted)
          if (reach && before !== undefined && before !== 'Empty') {
            await settle(reach, before === 'PrepareCommit' || before === 'CompleteCommit')
            // Answered only when the markers are written: what is read next is final.
            await fence(stillWanted)
          }
        } catch (error) {
          producerId = NO_PRODUCER_ID
          throw error instanceof CoordinatorNotFound ? error.cause : error
        }
        sequences = new Map()
        takenBack.clear()
        state = 'ready'
        logger.debug('Initialized producer id and epoch', { producerId, producerEpoch })
      },

      getSequence(topic: string, partition: number | string): number {
        return sequences.get(keyOf(topic, partition)) ?? 0
      },

      /** Called before a send, and with a negative increment when the send failed. */
      updateSequence(topic: string, partition: number | string, increment: number): void {
        if (producerId === NO_PRODUCER_ID) return
        const key = keyOf(topic, partition)
        sequences.set(key, sequenceAfter(sequences.get(key) ?? 0, increment))
        if (increment < 0) takenBack.add(key)
        else takenBack.delete(key)
      },

      beginTransaction(): void {
        demand('beginTransaction', 'ready')
        transaction = newTransaction()
        state = 'transacting'
      },

      async addPartitionsToTransaction(topicData: readonly TopicPartitions[]): Promise<void> {
        const current = transaction
        const stillWanted = inThis(current, 'addPartitionsToTransaction')
        stillWanted()
        const topics = topicData
          .map(({ topic, partitions }) => ({
            topic,
            partitions: partitions
              .map(({ partition }) => partition)
              .filter((partition) => !current.partitions.has(keyOf(topic, partition))),
          }))
          .filter(({ partitions }) => partitions.length > 0)
        if (topics.length === 0) return

        await askUntilAnswered(
          findTransactionCoordinator,
          (broker) => broker.addPartitionsToTxn({ ...identity(), topics }),
          ASK_AGAIN,
          stillWanted,
        ).catch((error: unknown) => {
          throw failed('adding partitions', error, REFUSED)
        })
        for (const { topic, partitions } of topics) {
          for (const partition of partitions) current.partitions.add(keyOf(topic, partition))
        }
        // kafkajs produces next: not into a transaction that is over.
        stillWanted()
      },

      async sendOffsets({
        consumerGroupId,
        topics,
      }: {
        consumerGroupId: string
        topics: readonly TopicOffsets[]
      }): Promise<void> {
        const current = transaction
        const stillWanted = inThis(current, 'sendOffsets')
        stillWanted()
        ok(consumerGroupId, 'Missing consumerGroupId')
        ok(topics, 'Missing offset topics')
        const request = { ...identity(), groupId: consumerGroupId }
        try {
          await askUntilAnswered(
            findTransactionCoordinator,
            (broker) => broker.addOffsetsToTxn(request),
            ASK_AGAIN,
            stillWanted,
          )
          current.hasOffsets = true
          stillWanted()
          await askUntilAnswered(
            (again) => coordinatorOf(consumerGroupId, GROUP, again),
            (broker) => broker.txnOffsetCommit({ ...request, topics }),
            ASK_AGAIN_OFFSETS,
            stillWanted,
          )
        } catch (error) {
          throw failed('sending offsets', error, REFUSED)
        }
      },

      commit: () => end('commit'),
      abort: () => end('abort'),
    }
  }
}

interface Transaction {
  partitions: Set<string>
  hasOffsets: boolean
}

function newTransaction(): Transaction {
  return { partitions: new Set(), hasOffsets: false }
}

/** No request was sent: what was asked for certainly did not happen. */
class CoordinatorNotFound extends Error {
  constructor(cause: unknown) {
    super('no coordinator found', { cause })
  }
}

function keyOf(topic: string, partition: number | string): string {
  return `${partition}:${topic}`
}

function typeOf(error: unknown): string {
  const type: unknown = error instanceof Error && 'type' in error ? error.type : undefined
  return typeof type === 'string' ? type : ''
}

function describe(error: unknown): string {
  return (
    typeOf(error) || (error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  )
}
