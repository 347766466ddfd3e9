// How does a partition get past a record that stops its service?
import {
  FatalError,
  reachOf,
  toDeadLetter,
  transactionalIdOf,
  type ConsumedRecord,
  type Kafka,
} from '@churnstream/runtime'
import { services, type Service } from '@churnstream/topology'
import { placeText, type Place } from './core/letter.ts'
import { consumedTopics } from './letters.ts'

export const parkedReason = 'parked'

/**
 * Sets one record aside as a dead letter and commits the offset behind it, in one transaction and as
 * the partition's own producer: its service is fenced, and goes on behind the record.
 * @throws FatalError when the partition does not stand at that record
 */
export async function park(kafka: Kafka, place: Place, because: string): Promise<void> {
  const { partition, offset } = place
  const topic = consumedTopics.find(({ name }) => name === place.topic)
  const service = Object.values(services).find((one: Service) =>
    one.consumes.some(({ name }) => name === place.topic),
  )
  if (topic === undefined || service === undefined || partition >= topic.partitions) {
    const known = consumedTopics.map(({ name }) => name).join(', ')
    throw new FatalError(`no service consumes ${placeText(place)}; topics are: ${known}`)
  }
  const group = service.name
  const producer = await kafka.openTransactional(
    transactionalIdOf(service, topic, partition),
    reachOf(service, topic, partition),
  )
  try {
    const stands = await kafka.committedOffset(group, topic.name, partition)
    const record = await firstFrom(kafka, topic.name, partition, stands)
    if (record === undefined || record.offset !== BigInt(offset)) {
      const at = record === undefined ? 'the end' : String(record.offset)
      throw new FatalError(
        `${group} stands at ${at} of ${topic.name}-${partition}, not at ${offset}: ` +
          'only the record that stops it can be parked',
      )
    }
    const letter = toDeadLetter(record, {
      reason: parkedReason,
      detail: because,
      service: group,
      topic: topic.name,
      partition,
    })
    const next = record.offset + 1n
    const moved = { groupId: group, topic: topic.name, partition, next }
    await producer.commit({ records: [letter], offset: moved })
  } finally {
    await producer.close()
  }
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
