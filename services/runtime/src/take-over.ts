// Who may write for a partition, and how does everybody else lose that right?
import {
  deadLetterTopic,
  groupOf,
  transactionalIdPrefixOf,
  type Service,
  type Topic,
} from '@churnstream/topology'
import type { Kafka, Reach, TransactionalProducer } from './kafka.ts'

/** Of the producer that takes a partition over; it writes until a carrier is named. */
export const transactionalIdOf = (service: Service, topic: Topic, partition: number): string =>
  `${transactionalIdPrefixOf(service)}${topic.name}.${partition}`

/** Topics with the key of the input are co-partitioned: a partition writes to its like, or to where all gather. */
export function reachOf(
  service: Service,
  topic: Topic,
  partition: number,
  alongside: readonly Topic[] = [],
): Reach {
  const written: Topic[] = [...service.produces, ...service.state]
  const alike = written.filter(({ key }) => key === topic.key).map(({ name }) => name)
  const letters = [topic, ...alongside].map(deadLetterTopic)
  const gathered = written.filter(({ key, isGathered }) => isGathered && key !== topic.key)
  return {
    partitions: [
      ...[...alike, ...letters].map((name) => ({ topic: name, partition })),
      ...gathered.map(({ name }) => ({ topic: name, partition: 0 })),
    ],
    groupId: groupOf(service),
  }
}

/** Of a carrier: whatever any lane of the service may write. */
export function carrierReachOf(
  service: Service,
  topic: Topic,
  alongside: readonly Topic[] = [],
): Reach {
  const places = new Map(
    Array.from({ length: topic.partitions }, (_, partition) =>
      reachOf(service, topic, partition, alongside),
    )
      .flatMap(({ partitions }) => partitions)
      .map((place) => [`${place.topic} ${place.partition}`, place] as const),
  )
  return { partitions: [...places.values()], groupId: groupOf(service) }
}

/** Fences a carrier by its id, and settles what it left. */
export type Fence = (carrierId: string) => Promise<void>

export interface TakeOverOptions {
  readonly kafka: Kafka
  readonly service: Service
  /** The lane is named by the first. */
  readonly topic: Topic
  readonly alongside?: readonly Topic[]
  readonly partition: number
  readonly fence: Fence
  /** A carrier of whoever takes over, and opened before this call. */
  readonly carrierId?: string
}

export interface TakenOver {
  /** Nobody else can write for the partition until its transactional id is opened again. */
  readonly producer: TransactionalProducer
  /** By topic: the committed offset, which is final. */
  readonly next: Map<string, bigint>
  /** Whether the committed offsets name our carrier, so that it may write without more ado. */
  readonly isNamed: boolean
}

/**
 * After this the former owner of the partition can commit nothing more, and what it committed is
 * seen. Its own producer is fenced by the id of the partition. If it wrote through a carrier, it
 * named it beside an offset in a transaction of that producer first, so whom to fence stands there.
 * See docs/decisions/0122.
 */
export async function takeOver(options: TakeOverOptions): Promise<TakenOver> {
  const { kafka, service, topic, alongside = [], partition, fence, carrierId } = options
  const group = groupOf(service)
  const names = [topic, ...alongside].map(({ name }) => name)
  const producer = await kafka.openTransactional(
    transactionalIdOf(service, topic, partition),
    reachOf(service, topic, partition, alongside),
  )
  try {
    // From here on nobody can name another one.
    const named = new Set<string>()
    for (const name of names) named.add(await kafka.committedMetadata(group, name, partition))
    named.delete('')
    const isNamed = carrierId !== undefined && named.delete(carrierId)
    await Promise.all([...named].map(fence))
    const next = new Map<string, bigint>()
    for (const name of names) {
      next.set(name, await kafka.committedOffset(group, name, partition))
    }
    return { producer, next, isNamed }
  } catch (error) {
    await producer.close()
    throw error
  }
}

/**
 * Lanes that take over at once often find the same carrier. A call shares a fencing only if it has
 * not begun: one that has may be over before the carrier's owner opened it once more.
 */
export function createFence(kafka: Kafka, reach: Reach): Fence {
  const running = new Map<string, Promise<void>>()
  const queued = new Map<string, Promise<void>>()

  async function fence(carrierId: string): Promise<void> {
    const producer = await kafka.openTransactional(carrierId, reach)
    await producer.close()
  }

  function start(carrierId: string): Promise<void> {
    queued.delete(carrierId)
    const run = fence(carrierId).finally(() => {
      if (running.get(carrierId) === run) running.delete(carrierId)
    })
    running.set(carrierId, run)
    return run
  }

  return (carrierId) => {
    const current = running.get(carrierId)
    if (current === undefined) return start(carrierId)
    const next =
      queued.get(carrierId) ?? current.catch(() => undefined).then(() => start(carrierId))
    queued.set(carrierId, next)
    return next
  }
}
