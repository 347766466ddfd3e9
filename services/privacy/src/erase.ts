// How is a player erased everywhere, and how does it go on when something was away?
import type { PrivacyConfirmation, PrivacyRequest } from '@churnstream/schemas'
import {
  connectGroupOf,
  groupOf,
  services,
  topics,
  warehouse,
  warehouseTables,
  type Topic,
} from '@churnstream/topology'
import { randomUUID } from 'node:crypto'
import type { Connection } from './connect.ts'
import { eraseInIceberg } from './iceberg/table.ts'
import { eraseInObjects } from './objects.ts'
import {
  confirmedBy,
  everywhere,
  partitionOfPlayer,
  standingOf,
  type Standing,
} from './requests.ts'
import { eraseInTables, tablesOf } from './tables.ts'
import { createUntil, untilIcebergCommitted, untilPassed } from './waiting.ts'

export interface Asked {
  readonly playerId: string
  readonly market: string | null
  readonly requestedBy: string
  /** For services to come to it; then the request stands, and the same command goes on with it. */
  readonly waitMs: number
}

export interface World {
  readonly connection: Connection
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

/**
 * Writes the request, unless one is under way, and does in turn what is not confirmed yet. Everything
 * is done as often as it is asked for and no more is gone than the first time.
 * @returns the request and what refused
 * @throws TransientError when a service did not come to it in time
 */
export async function erase(
  asked: Asked,
  world: World,
): Promise<{ readonly requestId: string; readonly refused: readonly string[] }> {
  const { connection, onProgress } = world
  const { kafka } = connection
  const { playerId } = asked
  const partition = partitionOfPlayer(playerId)
  const until = createUntil(world, asked.waitMs)
  const request = (await underWay(world, playerId)) ?? (await ask(asked, world))
  const { requestId } = request
  const standing = async (): Promise<Standing> =>
    (await standingOf(kafka, connection.schemas, playerId)).find(
      (one) => one.request.requestId === requestId,
    ) ?? { request, confirmations: [] }
  const confirmation = async (place: string): Promise<PrivacyConfirmation> => {
    onProgress(`waiting for ${place}`)
    let found: PrivacyConfirmation | undefined
    await until(place, async () => {
      found = confirmedBy(await standing(), place)
      return found !== undefined
    })
    return found as PrivacyConfirmation
  }

  const ofState = await confirmation(topics.playerState.name)
  // Whatever the former life gave rise to stands before what is the end now, hop by hop.
  const passes = (group: string, topic: Topic): Promise<void> =>
    untilPassed(world, until, { group, topic: topic.name, partition })
  await passes(groupOf(services.scorer), topics.featureVectors)
  await passes(groupOf(services.sinks), topics.churnScores)
  const { requestedAt } = request
  const life = { playerId, partition, untilOffset: ofState.untilOffset, requestedAt }
  const places = rowsIn('postgresql', await eraseInTables(connection.database, life))
  const refused: string[] = []
  if (connection.warehouse !== undefined) {
    const made = new Set((await tablesOf(connection.warehouse)).map(({ name }) => name))
    for (const table of Object.values(warehouseTables)) {
      if (made.has(`${warehouse}.${table.name}`)) await passes(connectGroupOf(table), table.topic)
    }
    places.push(...rowsIn('postgresql', await eraseInTables(connection.warehouse, life)))
    const iceberg = await eraseInIceberg(connection.warehouse, connection.objects.objects, life, {
      untilCommitted: () => untilIcebergCommitted(world, until, partition),
      onProgress,
    })
    places.push(...rowsIn('iceberg', iceberg.rows))
    refused.push(...iceberg.refused)
  }
  const inObjects = await eraseInObjects(connection.objects, life, onProgress)
  refused.push(...inObjects.refused)
  await confirmation(topics.monitorState.name)
  places.push(
    ['s3', inObjects.objects],
    // Also when something refused: the proof names it, and the next request begins anew.
    [everywhere, 0],
  )
  const confirmed = places.map(([place, erased]) => ({ ...ofState, place, erased }))
  await write(world, topics.privacyConfirmations, playerId, confirmed)
  return { requestId, refused }
}

const rowsIn = (store: string, rows: ReadonlyMap<string, number>): [string, number][] =>
  [...rows].map(([table, count]) => [`${store}/${table}`, count])

/** The newest request that is not done everywhere. */
async function underWay(
  { connection: { kafka, schemas } }: World,
  playerId: string,
): Promise<PrivacyRequest | undefined> {
  const all = await standingOf(kafka, schemas, playerId)
  return all.findLast((one) => confirmedBy(one, everywhere) === undefined)?.request
}

async function ask(
  { playerId, market, requestedBy }: Asked,
  world: World,
): Promise<PrivacyRequest> {
  const ends = await world.connection.kafka.endOffsets(topics.playerActivity.name)
  const request: PrivacyRequest = {
    requestId: randomUUID(),
    playerId,
    market,
    requestedBy,
    requestedAt: Date.now(),
    untilOffset: Number(ends[partitionOfPlayer(playerId)]),
  }
  await write(world, topics.privacyRequests, playerId, [request])
  world.onProgress(`request ${request.requestId} is written`)
  return request
}

async function write<N extends 'privacy-request' | 'privacy-confirmation'>(
  { connection: { kafka, schemas } }: World,
  topic: Topic<N>,
  playerId: string,
  values: readonly (N extends 'privacy-request' ? PrivacyRequest : PrivacyConfirmation)[],
): Promise<void> {
  const encoder = await schemas.encoderOf(topic)
  const producer = await kafka.openProducer()
  try {
    const partition = partitionOfPlayer(playerId)
    await producer.send(
      values.map((value) => ({
        topic: topic.name,
        partition,
        key: playerId,
        value: encoder.encode(value as never),
      })),
    )
  } finally {
    await producer.close()
  }
}
