// How do the scores of a replay become what a slot shows?
import { loadBatch, publishBatch, type Published, type ScoreRow } from '@churnstream/batch'
import { createHash } from 'node:crypto'
import type { Target } from './backfill.ts'
import type { PartitionCounts } from './core/counts.ts'
import type { Plan } from './core/plan.ts'

type Database = Parameters<typeof loadBatch>[0]

/** In the order of their causes; the same rows each time it is asked. */
type ReadPartition = () => AsyncIterable<readonly ScoreRow[]>

/**
 * Loads the scores as a batch and lets the slot show it. A player who was scored more than once as
 * of an instant (events that came late) stands there with the last of these scores.
 * @throws FatalError @throws TransientError
 */
export async function publishScores(options: {
  readonly database: Database
  readonly slot: string
  readonly plan: Plan
  readonly target: Pick<Target, 'read'>
  readonly partitions: readonly PartitionCounts[]
}): Promise<Published & { readonly superseded: number }> {
  const { database, slot, plan, target, partitions } = options
  const readers = partitions.map(
    (_, partition): ReadPartition =>
      () =>
        target.read(partition),
  )
  const newest = await Promise.all(readers.map(newestRows))
  const scored = newest.reduce((sum, rows) => sum + rows.count, 0)
  const rejected = partitions.reduce((sum, counts) => sum + counts.rejected, 0)
  const written = partitions.reduce((sum, counts) => sum + counts.scores, 0)
  const { id: _, ...input } = plan
  const batch = {
    slot,
    modelName: plan.modelName,
    modelVersion: plan.modelVersion,
    inputSha256: createHash('sha256').update(JSON.stringify(input)).digest('hex'),
    rowsIn: scored + rejected,
    scored,
    rejected,
  }
  const rows = async function* (): AsyncGenerator<readonly ScoreRow[]> {
    for (const [partition, read] of readers.entries()) {
      const isNewest = newest[partition]?.isNewest ?? []
      let index = 0
      for await (const part of read()) yield part.filter(() => isNewest[index++] === 1)
    }
  }
  const { batchId } = await loadBatch(database, batch, rows())
  return { ...(await publishBatch(database, batchId)), superseded: written - scored }
}

/** For each row of a partition 1 when no later one is of the same player and instant. */
async function newestRows(
  read: ReadPartition,
): Promise<{ isNewest: readonly (0 | 1)[]; count: number }> {
  const newest = new Map<string, number>()
  let index = 0
  for await (const part of read()) {
    for (const { playerId, asOf } of part) newest.set(`${asOf} ${playerId}`, index++)
  }
  const isNewest: (0 | 1)[] = Array.from({ length: index }, () => 0)
  for (const at of newest.values()) isNewest[at] = 1
  return { isNewest, count: newest.size }
}
