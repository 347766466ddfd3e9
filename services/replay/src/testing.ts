// What do the tests of a replay replay, and what scores it?
import type { PinnedVectorModel } from '@churnstream/batch'
import { partitionOf, type OutgoingRecord } from '@churnstream/runtime'
import { Encoder, clockKind, type PlayerActivity } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import type { MemoryCluster } from '@churnstream/runtime/testing'
import { createHash } from 'node:crypto'

export const activityId = 1
export const scoreId = 2
const { name: topic, partitions } = topics.playerActivity

/** Writes inputs as producers do: an event into its player's partition, a clock record into all. */
export async function sendActivity(
  cluster: MemoryCluster,
  inputs: readonly PlayerActivity[],
): Promise<void> {
  const encoder = new Encoder('player-activity', activityId)
  const producer = await cluster.open().openProducer()
  await producer.send(
    inputs.flatMap((input): OutgoingRecord[] => {
      const value = encoder.encode(input)
      if (input.kind !== clockKind) {
        const key = input.playerId
        return [{ topic, partition: partitionOf(key, partitions), key, value }]
      }
      return Array.from({ length: partitions }, (_, partition) => ({
        topic,
        partition,
        key: null,
        value,
      }))
    }),
  )
}

/** A score that follows from the bytes of a vector and nothing else; now and then none. */
export const hashingModel: Pick<PinnedVectorModel, 'scoreVectors'> = {
  scoreVectors: async (views) =>
    Float32Array.from(views, ({ bytes }) => {
      const hash = createHash('sha256').update(bytes).digest()
      return (hash[4] as number) % 50 === 7 ? NaN : hash.readUInt32BE() / 2 ** 32
    }),
}
