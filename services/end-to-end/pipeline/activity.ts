// How do simulated steps get into player-activity as fast as Kafka takes them?
import { clockRecords } from '@churnstream/ingestion'
import { partitionOf, type Kafka, type OutgoingRecord } from '@churnstream/runtime'
import type { Encoder, PlayerActivity, Schemas } from '@churnstream/schemas'
import type { Step } from '@churnstream/simulator'
import { topics } from '@churnstream/topology'

const topic = topics.playerActivity
const recordsPerSend = 2_000

export interface ActivityWriter {
  /** Acknowledged, in order; returns how many events there were. */
  write(steps: Iterable<Step>): Promise<number>
  close(): Promise<void>
}

export function activityRecord(
  encoder: Encoder<'player-activity'>,
  event: PlayerActivity,
): OutgoingRecord {
  const { playerId: key } = event
  const partition = partitionOf(key, topic.partitions)
  return { topic: topic.name, partition, key, value: encoder.encode(event) }
}

/** As producers do that write to Kafka themselves: past ingestion, in its format. */
export async function openActivityWriter(kafka: Kafka, schemas: Schemas): Promise<ActivityWriter> {
  const encoder = await schemas.encoderOf(topic)
  const producer = await kafka.openProducer()
  const toRecords = (step: Step): OutgoingRecord[] => {
    if (!('event' in step)) return clockRecords(encoder, step.clockAt)
    return [activityRecord(encoder, step.event)]
  }
  return {
    async write(steps) {
      let events = 0
      let waiting: OutgoingRecord[] = []
      for (const step of steps) {
        if ('event' in step) events++
        waiting.push(...toRecords(step))
        if (waiting.length < recordsPerSend) continue
        await producer.send(waiting)
        waiting = []
      }
      if (waiting.length > 0) await producer.send(waiting)
      return events
    },
    close: () => producer.close(),
  }
}
