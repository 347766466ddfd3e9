// Has a service done all that stands in a partition?
import type { Kafka } from '@churnstream/runtime'
import { groupOf, type Service, type Topic } from '@churnstream/topology'

/** The offset that is committed, and whether a record stands there or behind it. */
export async function progressOf(
  kafka: Kafka,
  service: Service,
  { name }: Topic,
  partition: number,
): Promise<{ readonly next: bigint; readonly isLeft: boolean }> {
  const next = await kafka.committedOffset(groupOf(service), name, partition)
  // What stands behind it may be no more than the marker of a transaction.
  for await (const _ of kafka.read(name, partition, next)) return { next, isLeft: true }
  return { next, isLeft: false }
}
