// How do all members of a consumer group begin at the same moment?
import { RebalanceError, type Batch, type ConsumeOptions, type Kafka } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'

const heartbeatEveryMs = 500

/** Lets go. */
export type Release = () => Promise<void>

/**
 * Takes all partitions and does nothing. Whoever joins waits for it to join again, which it does not:
 * when it leaves, all of them are given their partitions together. The topic must not be empty.
 */
export async function holdGroup(
  kafka: Kafka,
  group: Pick<ConsumeOptions, 'groupId' | 'topic' | 'alongside'>,
): Promise<Release> {
  const holding = Promise.withResolvers<void>()
  const released = new AbortController()
  async function onBatch(batch: Batch): Promise<void> {
    holding.resolve()
    while (!released.signal.aborted) {
      await batch.heartbeat().catch((error: unknown) => {
        if (!(error instanceof RebalanceError)) throw error
      })
      await delay(heartbeatEveryMs, undefined, released).catch(() => undefined)
    }
  }
  const consumer = await kafka.consume({ ...group, onAssigned: () => undefined, onBatch })
  await Promise.race([holding.promise, consumer.finished])
  return async () => {
    // First, so that it does not join again.
    const stopped = consumer.stop()
    released.abort()
    await stopped
  }
}
