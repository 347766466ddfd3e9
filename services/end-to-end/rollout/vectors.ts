// How does a stream of feature vectors come about without players?
import { catalogue, type FeatureVector, type Schemas } from '@churnstream/schemas'
import { partitionOf, type Kafka, type OutgoingRecord } from '@churnstream/runtime'
import { createRandom } from '@churnstream/simulator'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'

export interface VectorStream {
  readonly sent: number
  /** Resolves when sending has ended, with all records acknowledged. */
  readonly finished: Promise<void>
  stop(): void
}

const tickMs = 20

/**
 * Vectors of made-up players at a steady rate, written straight to feature-vectors. Each has a cause
 * of its own: causeOffset counts from 0 in each partition.
 */
export async function streamVectors(options: {
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly ratePerSecond: number
  readonly markets: readonly string[]
  readonly seed: number
}): Promise<VectorStream> {
  const { kafka, schemas, ratePerSecond, markets } = options
  const topic = topics.featureVectors
  const encoder = await schemas.encoderOf(topic)
  const producer = await kafka.openProducer()
  const random = createRandom(options.seed)
  const causeOffsets = new Map<number, number>()
  const run = `rollout-${options.seed}-${Date.now()}`
  let stopped = false
  let sent = 0

  function next(): OutgoingRecord {
    const number = Math.floor(random.uniform() * 5_000)
    const playerId = `${run}-${number}`
    const partition = partitionOf(playerId, topic.partitions)
    const causeOffset = causeOffsets.get(partition) ?? 0
    causeOffsets.set(partition, causeOffset + 1)
    const features = Object.fromEntries(
      catalogue.map(({ name, type }) => {
        if (type === 'string') return [name, null]
        return [name, random.uniform() < 0.1 ? null : random.uniform() * 30]
      }),
    )
    const vector = {
      ...features,
      playerId,
      market: markets[number % markets.length] as string,
      asOf: Date.now(),
      trigger: 'activity',
      causeEventId: `${run}-${partition}-${causeOffset}`,
      causeTopic: run,
      causePartition: partition,
      causeOffset,
    } as unknown as FeatureVector
    return { topic: topic.name, partition, key: playerId, value: encoder.encode(vector) }
  }

  async function work(): Promise<void> {
    const startedAt = performance.now()
    while (!stopped) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * ratePerSecond) - sent
      if (due > 0) {
        const records = Array.from({ length: Math.min(due, 2_000) }, next)
        await producer.send(records)
        sent += records.length
      }
      await delay(tickMs)
    }
    await producer.close()
  }

  return {
    get sent() {
      return sent
    },
    finished: work(),
    stop: () => void (stopped = true),
  }
}
