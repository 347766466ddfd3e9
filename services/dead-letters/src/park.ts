// How does a partition get past a record that stops its service?
import {
  FatalError,
  carrierReachOf,
  createFence,
  takeOver,
  toDeadLetter,
  type ConsumedRecord,
  type Kafka,
} from '@churnstream/runtime'
import { consumedTopics, groupOf, services, type Service, type Topic } from '@churnstream/topology'
import { placeText, type Place } from './core/letter.ts'

export const parkedReason = 'parked'

/**
 * Sets one record aside as a dead letter and commits the offset behind it, in one transaction and as
 * the partition's own producer: its service is fenced, and goes on behind the record.
 * @throws FatalError when the partition does not stand at that record
 */
export async function park(kafka: Kafka, place: Place, because: string): Promise<void> {
  const { partition } = place
  const topic = consumedTopics.find(({ name }) => name === place.topic)
  if (topic === undefined || partition >= topic.partitions) {
    const known = consumedTopics.map(({ name }) => name).join(', ')
    throw new FatalError(`no service consumes ${placeText(place)}; topics are: ${known}`)
  }
  const service = await stoppedAt(kafka, topic, place)
  const group = groupOf(service)
  const [first = topic] = service.consumes
  // A service's lane is named by its first topic, whichever of its topics the record is of.
  const alongside = service.consumes.slice(1)
  const { producer } = await takeOver({
    kafka,
    service,
    topic: first,
    alongside,
    partition,
    fence: createFence(kafka, carrierReachOf(service, first, alongside)),
  })
  try {
    // Only now is nobody else moving it.
    const record = await standsAt(kafka, service, topic, place)
    if (typeof record === 'string') throw new FatalError(record)
    const letter = toDeadLetter(record, {
      reason: parkedReason,
      detail: because,
      service: group,
      topic: topic.name,
      partition,
    })
    const next = record.offset + 1n
    const moved = { groupId: group, topic: topic.name, partition, next }
    await producer.commit({ records: [letter], offsets: [moved] })
  } finally {
    await producer.close()
  }
}

/** Of the services that consume the topic the one that has come to this very record. */
async function stoppedAt(kafka: Kafka, topic: Topic, place: Place): Promise<Service> {
  const consumers = Object.values(services).filter((one: Service) =>
    one.consumes.some(({ name }) => name === topic.name),
  )
  const elsewhere: string[] = []
  for (const service of consumers) {
    const record = await standsAt(kafka, service, topic, place)
    if (typeof record !== 'string') return service
    elsewhere.push(record)
  }
  throw new FatalError(elsewhere.join('\n'))
}

/** The record, when the service comes to it next; else where it stands. */
async function standsAt(
  kafka: Kafka,
  service: Service,
  topic: Topic,
  { partition, offset }: Place,
): Promise<ConsumedRecord | string> {
  const group = groupOf(service)
  const stands = await kafka.committedOffset(group, topic.name, partition)
  const record = await firstFrom(kafka, topic.name, partition, stands)
  if (record?.offset === BigInt(offset)) return record
  const at = record === undefined ? 'the end' : String(record.offset)
  return (
    `${group} stands at ${at} of ${topic.name}-${partition}, not at ${offset}: ` +
    'only the record that stops it can be parked'
  )
}

async function firstFrom(
  kafka: Kafka,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<ConsumedRecord | undefined> {
  for await (const records of kafka.read(topic, partition, offset)) {
    if (records[0] !== undefined) return records[0]
  }
  return undefined
}
