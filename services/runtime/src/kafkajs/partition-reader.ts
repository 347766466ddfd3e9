// How is one partition read without a consumer group?
import { createRequire } from 'node:module'
import type { Kafka as KafkajsClient, KafkaMessage } from 'kafkajs'
import { TransientError } from '../errors.ts'
import type { ConsumedRecord } from '../kafka.ts'
import { toConsumed } from './consumed.ts'

/** What we use of kafkajs's inside; it offers no consumer without a group. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: string[]): Promise<void>
  refreshMetadata(): Promise<void>
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  findBroker(options: { nodeId: string }): Promise<Broker>
  fetchTopicsOffset(
    topics: { topic: string; fromBeginning: boolean; partitions: { partition: number }[] }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
}
interface Broker {
  fetch(request: object): Promise<{
    responses: { partitions: PartitionData[] }[]
  }>
}
interface PartitionData {
  partition: number
  highWatermark: string
  lastStableOffset: string
  messages: KafkaMessage[]
}
interface InnerBatch {
  readonly messages: KafkaMessage[]
  readonly rawMessages: KafkaMessage[]
  lastOffset(): string
  isEmptyDueToLogCompactedMessages(): boolean
}

const readCommitted = 1
const waitMs = 200
const maxBytes = 4 << 20

export interface Fetched {
  readonly records: readonly ConsumedRecord[]
  /** Where the next fetch starts. */
  readonly next: bigint
  /** First offset that may belong to an open transaction, or the end. */
  readonly lastStableOffset: bigint
}

export function createPartitionReader(client: KafkajsClient) {
  const require = createRequire(import.meta.url)
  const Batch = require('kafkajs/src/consumer/batch.js') as new (
    topic: string,
    fetchedOffset: string,
    data: PartitionData,
  ) => InnerBatch
  let cluster: Promise<Cluster> | undefined

  function openCluster(): Promise<Cluster> {
    cluster ??= (async () => {
      const key = Object.getOwnPropertySymbols(client).find(
        (symbol) => symbol.description === 'private:Kafka:createCluster',
      )
      if (key === undefined) throw new TypeError('kafkajs has no createCluster: see replacedFiles')
      const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[key]
      const opened = (create as (options: object) => Cluster)({
        metadataMaxAge: 60_000,
        allowAutoTopicCreation: false,
        isolationLevel: readCommitted,
      })
      await opened.connect()
      return opened
    })().catch((error: unknown) => {
      cluster = undefined
      throw error
    })
    return cluster
  }

  async function fetch(topic: string, partition: number, from: bigint): Promise<Fetched> {
    const opened = await openCluster()
    try {
      await opened.addMultipleTargetTopics([topic])
      const [nodeId] = Object.keys(opened.findLeaderForPartitions(topic, [partition]))
      if (nodeId === undefined) throw new TransientError(`${topic}-${partition} has no leader`)
      const broker = await opened.findBroker({ nodeId })
      const { responses } = await broker.fetch({
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes,
        isolationLevel: readCommitted,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes }] }],
      })
      const data = responses[0]?.partitions[0]
      if (data === undefined) throw new TransientError(`no answer for ${topic}-${partition}`)
      const batch = new Batch(topic, String(from), data)
      const stepped = batch.rawMessages.length > 0
      return {
        records: batch.messages.map(toConsumed),
        next: stepped ? maxOf(from, BigInt(batch.lastOffset()) + 1n) : from,
        lastStableOffset: BigInt(data.lastStableOffset),
      }
    } catch (error) {
      // Metadata may be old: the leader moved, or a broker came back elsewhere.
      await opened.refreshMetadata().catch(() => undefined)
      throw error
    }
  }

  async function* read(
    topic: string,
    partition: number,
    from?: bigint,
  ): AsyncGenerator<readonly ConsumedRecord[]> {
    const first = from ?? (await firstOffset(topic, partition))
    let position = first
    let end: bigint | undefined
    while (end === undefined || position < end) {
      const fetched = await fetch(topic, partition, position)
      end ??= fetched.lastStableOffset
      if (fetched.records.length > 0) yield fetched.records
      // Nothing below the end was returned: only offsets that compaction removed are left.
      if (fetched.next === position) return
      position = fetched.next
    }
  }

  async function firstOffset(topic: string, partition: number): Promise<bigint> {
    const opened = await openCluster()
    await opened.addMultipleTargetTopics([topic])
    const [answer] = await opened.fetchTopicsOffset([
      { topic, fromBeginning: true, partitions: [{ partition }] },
    ])
    const offset = answer?.partitions[0]?.offset
    if (offset === undefined) throw new TransientError(`no first offset of ${topic}-${partition}`)
    return BigInt(offset)
  }

  return {
    fetch,
    read,
    async close() {
      const opened = await cluster?.catch(() => undefined)
      await opened?.disconnect()
    },
  }
}

const maxOf = (a: bigint, b: bigint): bigint => (a > b ? a : b)
