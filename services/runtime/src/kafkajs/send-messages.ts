// How does every record of a send reach its leader once, while leaders move and connections break?
import type { TransactionManager } from './transaction-manager.ts'

/** As kafkajs hands it over, with the partition that our records always name. */
interface Message {
  readonly partition: number
}

interface Entry {
  readonly topic: string
  readonly partition: number
  readonly messages: Message[]
  /** Chosen once: who has the batch already answers a repeat with the place that it has. */
  readonly firstSequence: number
}

interface ProducedPartition {
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset?: string
}

export interface Answer extends ProducedPartition {
  readonly topicName: string
}

interface TopicData {
  topic: string
  partitions: Entry[]
}

export interface ProducingBroker {
  readonly nodeId: number | string
  produce(request: {
    transactionalId: string | undefined
    producerId: string | number
    producerEpoch: number
    acks: number
    timeout?: number
    compression?: unknown
    topicData: readonly TopicData[]
  }): Promise<{
    topics: readonly { topicName: string; partitions: readonly ProducedPartition[] }[]
  }>
}

/** The part of kafkajs' Cluster that sending needs. */
export interface ProducingCluster {
  addMultipleTargetTopics(topics: readonly string[]): Promise<unknown>
  refreshMetadataIfNecessary(): Promise<unknown>
  refreshMetadata(): Promise<unknown>
  findLeaderForPartitions(
    topic: string,
    partitions: readonly number[],
  ): Readonly<Record<string, readonly number[]>>
  findBroker(request: { nodeId: string }): Promise<ProducingBroker>
  removeBroker(address: { host: string; port: number }): void
  isConnected(): boolean
  connect(): Promise<unknown>
}

type Retrier = <T>(attempt: (bail: (error: unknown) => void) => Promise<T>) => Promise<T>

interface Options {
  readonly logger: { error(message: string): void }
  readonly cluster: ProducingCluster
  readonly eosManager: TransactionManager
  readonly retrier: Retrier
}

export interface SendRequest {
  readonly acks: number
  readonly timeout?: number
  readonly compression?: unknown
  readonly topicMessages: readonly {
    readonly topic: string
    readonly messages: readonly Message[]
  }[]
}

const allInSync = -1

/**
 * Makes what takes the place of kafkajs' producer/sendMessages.js, with the same interface. The
 * stock one notes which brokers have answered, not which partitions: a partition that moves, while
 * an attempt is repeated, to a broker that has answered for others is never sent, and the send
 * succeeds; and what is still under way when another broker refuses is sent a second time beside
 * it, under another sequence number.
 */
export function createSendMessages({ logger, cluster, eosManager, retrier }: Options) {
  /** Sequence numbers must reach each leader in order: one send after the other. */
  let last: Promise<unknown> = Promise.resolve()

  return function sendMessages(request: SendRequest): Promise<Answer[]> {
    const turn = last.then(() => sendAll(request))
    last = turn.catch(() => undefined)
    return turn
  }

  async function sendAll(request: SendRequest): Promise<Answer[]> {
    if (request.acks !== allInSync) {
      throw new TypeError(
        `acks is ${request.acks}: only all in-sync replicas are an acknowledgement`,
      )
    }
    const entries = entriesOf(request)
    const answers = new Map<Entry, Answer>()
    try {
      return await retrier(async (bail) => {
        try {
          await cluster.addMultipleTargetTopics([...new Set(entries.map(({ topic }) => topic))])
          await cluster.refreshMetadataIfNecessary()
          const left = entries.filter((entry) => !answers.has(entry))
          const attempts = [...byLeader(left)].map(([nodeId, own]) =>
            send(nodeId, own, request, answers),
          )
          // All of them, also when one fails: what is under way must not be sent beside itself.
          const results = await Promise.allSettled(attempts)
          const failures = results.filter((result) => result.status === 'rejected')
          const errors = failures.map(({ reason }): unknown => reason)
          if (errors.length > 0) throw errors.find((error) => !isPassing(error)) ?? errors[0]
          return [...answers.values()]
        } catch (error) {
          if (isPassing(error)) await renew(error)
          else bail(error)
          throw error
        }
      })
    } catch (error) {
      // Whether these were written is unknown, so nothing else may have their numbers.
      for (const entry of entries) {
        if (answers.has(entry)) continue
        eosManager.updateSequence(entry.topic, entry.partition, -entry.messages.length)
      }
      throw error
    }
  }

  function entriesOf({ topicMessages }: SendRequest): Entry[] {
    return topicMessages.flatMap(({ topic, messages }) =>
      [...Map.groupBy(messages, ({ partition }) => partition)].map(([partition, own]) => {
        const firstSequence = eosManager.getSequence(topic, partition)
        eosManager.updateSequence(topic, partition, own.length)
        return { topic, partition, messages: own, firstSequence }
      }),
    )
  }

  /** @throws Error, passing, for a partition of which nothing is known */
  function byLeader(entries: readonly Entry[]): Map<string, Entry[]> {
    return Map.groupBy(entries, ({ topic, partition }) => {
      const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      if (leader !== undefined) return leader
      throw new Error(`nothing is known of ${topic}-${partition}`)
    })
  }

  async function send(
    nodeId: string,
    entries: readonly Entry[],
    { acks, timeout, compression }: SendRequest,
    answers: Map<Entry, Answer>,
  ): Promise<void> {
    const broker = await cluster.findBroker({ nodeId })
    const topicData = [...Map.groupBy(entries, ({ topic }) => topic)].map(
      ([topic, partitions]) => ({ topic, partitions }),
    )
    const isTransactional = eosManager.isTransactional()
    if (isTransactional) await eosManager.addPartitionsToTransaction(topicData)
    const { topics } = await broker.produce({
      transactionalId: isTransactional ? eosManager.getTransactionalId() : undefined,
      producerId: eosManager.getProducerId(),
      producerEpoch: eosManager.getProducerEpoch(),
      acks,
      ...(timeout === undefined ? {} : { timeout }),
      ...(compression === undefined ? {} : { compression }),
      topicData,
    })
    for (const entry of entries) {
      const answer = topics
        .find(({ topicName }) => topicName === entry.topic)
        ?.partitions.find(({ partition }) => partition === entry.partition)
      if (answer === undefined) {
        throw new Error(`broker ${nodeId} said nothing of ${entry.topic}-${entry.partition}`)
      }
      answers.set(entry, { topicName: entry.topic, ...answer })
    }
  }

  /** The next attempt asks who leads now. */
  async function renew(error: unknown): Promise<void> {
    const { name, message, host, port } = (error ?? {}) as {
      name?: string
      message?: string
      host?: string
      port?: number
    }
    logger.error(`Failed to send messages: ${message}`)
    if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined) {
      cluster.removeBroker({ host, port })
    }
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
  }
}

/** kafkajs marks what a repeat cannot mend. */
function isPassing(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return false
  return (error as { retriable?: boolean } | null)?.retriable !== false
}
