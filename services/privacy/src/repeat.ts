// What was erased and came back, with a backup for one?
import { readConfirmations } from '@churnstream/replay'
import { topics } from '@churnstream/topology'
import type { World } from './erase.ts'
import { eraseInIceberg } from './iceberg/table.ts'
import { eraseInObjects } from './objects.ts'
import { eraseInTables } from './tables.ts'
import { createUntil, untilIcebergCommitted } from './waiting.ts'

export interface Repeated {
  readonly players: number
  readonly rows: number
  readonly objects: number
  readonly refused: readonly string[]
}

/** Every erasure that is remembered, once more, in PostgreSQL and in S3. */
export async function repeat(world: World, waitMs: number): Promise<Repeated> {
  const { connection, signal, onProgress } = world
  const { kafka, schemas, database, warehouse, objects } = connection
  const until = createUntil(world, waitMs)
  const refused: string[] = []
  let [players, rows, rewritten] = [0, 0, 0]
  for (let partition = 0; partition < topics.privacyConfirmations.partitions; partition++) {
    const confirmations = await readConfirmations(kafka, schemas, partition)
    // The newest of a player reaches furthest.
    const erasures = new Map(
      confirmations
        .filter(({ place }) => place === topics.playerState.name)
        .map((one) => [one.playerId, one]),
    )
    for (const { playerId, untilOffset, confirmedAt } of erasures.values()) {
      signal.throwIfAborted()
      const life = { playerId, partition, untilOffset, requestedAt: confirmedAt }
      for (const one of [database, warehouse]) {
        if (one === undefined) continue
        for (const count of (await eraseInTables(one, life)).values()) rows += count
      }
      if (warehouse !== undefined) {
        const iceberg = await eraseInIceberg(warehouse, objects.objects, life, {
          untilCommitted: () => untilIcebergCommitted(world, until, partition),
          onProgress,
        })
        for (const count of iceberg.rows.values()) rows += count
        refused.push(...iceberg.refused)
      }
      const done = await eraseInObjects(objects, life, onProgress)
      players++
      rewritten += done.objects
      refused.push(...done.refused)
    }
  }
  return { players, rows, objects: rewritten, refused }
}
