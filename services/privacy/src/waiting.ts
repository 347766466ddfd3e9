// Has everybody passed what was there when we asked?
import { TransientError, type Kafka } from '@churnstream/runtime'
import { icebergGroups } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import type { World } from './erase.ts'

/** @throws TransientError when it takes too long */
export type Until = (what: string, isSo: () => Promise<boolean>) => Promise<void>

const pollMs = 250

/** One time for all that is waited for. */
export function createUntil({ signal }: Pick<World, 'signal'>, waitMs: number): Until {
  const deadline = Date.now() + waitMs
  return async (what, isSo) => {
    while (!(await isSo())) {
      if (Date.now() > deadline) {
        throw new TransientError(`${what} takes longer: what was asked stands, ask again to go on`)
      }
      await delay(pollMs, undefined, { signal })
    }
  }
}

interface Position {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

export async function untilPassed(
  { connection: { kafka }, onProgress }: World,
  until: Until,
  { group, topic, partition }: Position,
): Promise<void> {
  const end = (await kafka.endOffsets(topic))[partition] as bigint
  onProgress(`waiting for ${group} to pass ${topic}-${partition}@${end}`)
  await until(group, () => hasPassed(kafka, { group, topic, partition }, end))
}

/** Nothing that can be seen stands between what the group has committed and the end: markers do. */
async function hasPassed(
  kafka: Kafka,
  { group, topic, partition }: Position,
  end: bigint,
): Promise<boolean> {
  const next = await kafka.committedOffset(group, topic, partition)
  if (next >= end) return true
  for await (const records of kafka.read(topic, partition, next, end)) {
    if (records.length > 0) return false
  }
  return true
}

/** What the sink has read of the partition by now is in the table, and no file of it is on its way. */
export async function untilIcebergCommitted(
  world: World,
  until: Until,
  partition: number,
): Promise<void> {
  const { sink, coordinator } = icebergGroups
  await untilPassed(world, until, { ...sink, partition })
  // By then it has told its coordinator of the files, in the control topic's one partition.
  await untilPassed(world, until, { ...coordinator, partition: 0 })
}
