// What was erased and came back, with a backup for one?
import { readConfirmations } from '@churnstream/replay'
import { topics } from '@churnstream/topology'
import type { World } from './erase.ts'
import { eraseInObjects } from './objects.ts'
import { eraseInTables } from './tables.ts'

export interface Repeated {
  readonly players: number
  readonly rows: number
  readonly objects: number
  readonly refused: readonly string[]
}

/** Every erasure that is remembered, once more, in PostgreSQL and in S3. */
export async function repeat({ connection, signal, onProgress }: World): Promise<Repeated> {
  const { kafka, schemas, database, warehouse, objects } = connection
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
      const done = await eraseInObjects(objects, playerId, onProgress)
      players++
      rewritten += done.objects
      refused.push(...done.refused)
    }
  }
  return { players, rows, objects: rewritten, refused }
}
