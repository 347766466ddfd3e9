// Is a player still found anywhere?
import { topics } from '@churnstream/topology'
import type { Connection } from './connect.ts'
import type { Proof } from './core/finding.ts'
import { findInObjects } from './objects.ts'
import { confirmedBy, partitionOfPlayer, standingOf } from './requests.ts'
import { findInTopics, type ScannedLife } from './scan.ts'
import { findInTables } from './tables.ts'

/** Reads everything: topics, tables and objects. What follows from a new life does not count. */
export async function prove(
  { kafka, schemas, database, warehouse, objects }: Connection,
  playerId: string,
  onProgress: (line: string) => void,
): Promise<Proof> {
  const requests = await standingOf(kafka, schemas, playerId)
  const erasures = requests.flatMap((standing) => {
    const confirmation = confirmedBy(standing, topics.playerState.name)
    return confirmation === undefined ? [] : [{ standing, confirmation }]
  })
  const life: ScannedLife = {
    playerId,
    partition: partitionOfPlayer(playerId),
    untilOffset:
      erasures.length === 0
        ? Infinity
        : Math.max(...erasures.map(({ confirmation }) => confirmation.untilOffset)),
    requestedAt: erasures.at(-1)?.standing.request.requestedAt ?? Date.now(),
    monitorErasedAt:
      requests.flatMap((standing) => confirmedBy(standing, topics.monitorState.name) ?? []).at(-1)
        ?.confirmedAt ?? Infinity,
  }
  onProgress('reading every topic')
  const inTopics = await findInTopics(kafka, schemas, life)
  onProgress('asking every table')
  const inTables = await findInTables(database, life)
  const inWarehouse = warehouse === undefined ? undefined : await findInTables(warehouse, life)
  onProgress('reading every object')
  const inObjects = await findInObjects(objects, life)
  return {
    playerId,
    requests: requests.map(({ request }) => request.requestId),
    findings: [inTopics, inTables, ...(inWarehouse ? [inWarehouse] : []), inObjects].flatMap(
      ({ findings }) => findings,
    ),
    read: {
      records: inTopics.read,
      tables: inTables.read + (inWarehouse?.read ?? 0),
      objects: inObjects.read,
    },
    unread: [
      ...(warehouse === undefined ? ['the warehouse: WAREHOUSE_DATABASE_URL is not set'] : []),
      'older versions of objects, backups of PostgreSQL and disks: see docs/privacy.md',
    ],
  }
}
