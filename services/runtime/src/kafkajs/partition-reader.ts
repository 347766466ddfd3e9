// How are partitions read without a consumer group?
import type { Kafka as KafkajsClient } from 'kafkajs'
import { TransientError } from '../errors.ts'
import type { ConsumedRecord } from '../kafka.ts'
import { FetchedBatch, type FetchedPartition } from './fetched-batch.ts'

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
  fetch(request: object): Promise<{ responses: { partitions: FetchedPartition[] }[] }>
}

const readCommitted = 1
const maxBytes = 16 << 20
const maxBytesPerPartition = 4 << 20

export interface Fetched {
  readonly partition: number
  readonly records: readonly ConsumedRecord[]
  /** Where the next fetch starts. */
  readonly next: bigint
  /** First offset that may belong to an open transaction, or the end. */
  readonly lastStableOffset: bigint
}

/**
 * Reads partitions of one topic over connections of its own: a broker answers the requests of a
 * connection one after the other, so a fetch that waits for news would hold up everybody else's.
 */
export class PartitionReader {
  readonly #topic: string
  readonly #cluster: Cluster

  constructor(client: KafkajsClient, topic: string) {
    this.#topic = topic
    this.#cluster = createCluster(client)
  }

  async open(): Promise<void> {
    await this.#cluster.connect()
    await this.#cluster.addMultipleTargetTopics([this.#topic])
  }

  close(): Promise<void> {
    return this.#cluster.disconnect()
  }

  async firstOffset(partition: number): Promise<bigint> {
    const [answer] = await this.#cluster.fetchTopicsOffset([
      { topic: this.#topic, fromBeginning: true, partitions: [{ partition }] },
    ])
    const offset = answer?.partitions[0]?.offset
    if (offset === undefined)
      throw new TransientError(`no first offset of ${this.#topic}-${partition}`)
    return BigInt(offset)
  }

  /** What stands at these positions now; with a wait, what comes within it when nothing does. */
  async fetch(positions: ReadonlyMap<number, bigint>, waitMs: number): Promise<Fetched[]> {
    const leaders = this.#cluster.findLeaderForPartitions(this.#topic, [...positions.keys()])
    const answers = Object.entries(leaders).map(async ([nodeId, partitions]) => {
      const broker = await this.#cluster.findBroker({ nodeId })
      const wanted = partitions.map((partition) => ({
        partition,
        fetchOffset: String(positions.get(partition)),
        maxBytes: maxBytesPerPartition,
      }))
      const { responses } = await broker.fetch({
        maxWaitTime: waitMs,
        minBytes: waitMs === 0 ? 0 : 1,
        maxBytes,
        isolationLevel: readCommitted,
        topics: [{ topic: this.#topic, partitions: wanted }],
      })
      return responses.flatMap((response) => response.partitions)
    })
    try {
      const data = (await Promise.all(answers)).flat()
      return data.map((one) => {
        const { partition, lastStableOffset } = one
        const from = positions.get(partition) as bigint
        const { messages, next } = new FetchedBatch(this.#topic, String(from), one)
        return { partition, records: messages, next, lastStableOffset: BigInt(lastStableOffset) }
      })
    } catch (error) {
      // Metadata may be old: the leader moved, or a broker came back elsewhere.
      await this.#cluster.refreshMetadata().catch(() => undefined)
      throw error
    }
  }
}

/** How long a fetch waits for an open transaction to be decided before it asks again. */
const undecidedWaitMs = 100

/**
 * Committed records from an offset (default: the first) up to the end as it stands now, or up to the
 * end that is given, when every transaction below it is decided.
 */
export async function* readPartition(
  client: KafkajsClient,
  topic: string,
  partition: number,
  from?: bigint,
  until?: bigint,
): AsyncGenerator<readonly ConsumedRecord[]> {
  const reader = new PartitionReader(client, topic)
  try {
    await reader.open()
    let position = from ?? (await reader.firstOffset(partition))
    let end = until
    let waitMs = 0
    while (end === undefined || position < end) {
      const [fetched] = await reader.fetch(new Map([[partition, position]]), waitMs)
      if (fetched === undefined) throw new TransientError(`no answer for ${topic}-${partition}`)
      const { records, next, lastStableOffset } = fetched
      end ??= lastStableOffset
      const within = until === undefined ? records : upTo(until, records)
      if (within.length > 0) yield within
      const isUndecided = lastStableOffset <= next && next < end
      // Nothing more was returned below the end: compaction removed what stood there.
      if (next === position && !isUndecided) return
      waitMs = isUndecided ? undecidedWaitMs : 0
      position = next
    }
  } finally {
    await reader.close()
  }
}

function upTo(end: bigint, records: readonly ConsumedRecord[]): readonly ConsumedRecord[] {
  const last = records.at(-1)
  if (last === undefined || last.offset < end) return records
  return records.filter(({ offset }) => offset < end)
}

/** Committed records with from ≤ offset < to. What retention has taken is left out. */
export async function readRange(
  reader: PartitionReader,
  partition: number,
  from: bigint,
  to: bigint,
): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = []
  let position = from
  while (position < to) {
    let fetched: Fetched | undefined
    try {
      ;[fetched] = await reader.fetch(new Map([[partition, position]]), 0)
    } catch (error) {
      if ((error as { type?: string }).type !== 'OFFSET_OUT_OF_RANGE') throw error
      const first = await reader.firstOffset(partition)
      if (first <= position) throw error
      position = first
      continue
    }
    if (fetched === undefined) throw new TransientError(`no answer for ${partition}`)
    for (const record of fetched.records) if (record.offset < to) found.push(record)
    if (fetched.next === position) break
    position = fetched.next
  }
  return found
}

function createCluster(client: KafkajsClient): Cluster {
  const key = Object.getOwnPropertySymbols(client).find(
    (symbol) => symbol.description === 'private:Kafka:createCluster',
  )
  if (key === undefined) throw new TypeError('kafkajs has no createCluster: see replacedFiles')
  const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[key]
  return (create as (options: object) => Cluster)({
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    isolationLevel: readCommitted,
  })
}
