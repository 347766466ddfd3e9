// How is a player erased everywhere, and how does it go on when something was away?
import { TransientError, type Kafka } from '@churnstream/runtime'
import { Encoder, type PrivacyConfirmation, type PrivacyRequest } from '@churnstream/schemas'
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
import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from './connect.ts'
import { eraseInObjects } from './objects.ts'
import {
  confirmedBy,
  everywhere,
  partitionOfPlayer,
  standingOf,
  type Standing,
} from './requests.ts'
import { eraseInTables, tablesOf } from './tables.ts'

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

const pollMs = 250

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
  const deadline = Date.now() + asked.waitMs
  const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo())) {
      if (Date.now() > deadline) {
        throw new TransientError(`${what} takes longer: the request stands, ask again to go on`)
      }
      await delay(pollMs, undefined, { signal: world.signal })
    }
  }
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
  const passes = async (group: string, topic: Topic): Promise<void> => {
    const end = (await kafka.endOffsets(topic.name))[partition] as bigint
    onProgress(`waiting for ${group} to pass ${topic.name}-${partition}@${end}`)
    await until(group, () => hasPassed(kafka, group, topic, partition, end))
  }
  await passes(groupOf(services.scorer), topics.featureVectors)
  await passes(groupOf(services.sinks), topics.churnScores)
  const { requestedAt } = request
  const life = { playerId, partition, untilOffset: ofState.untilOffset, requestedAt }
  const deleted = [...(await eraseInTables(connection.database, life))]
  if (connection.warehouse !== undefined) {
    const made = new Set((await tablesOf(connection.warehouse)).map(({ name }) => name))
    for (const table of Object.values(warehouseTables)) {
      if (made.has(`${warehouse}.${table.name}`)) await passes(connectGroupOf(table), table.topic)
    }
    deleted.push(...(await eraseInTables(connection.warehouse, life)))
  }
  const { objects, refused } = await eraseInObjects(connection.objects, playerId, onProgress)
  await confirmation(topics.monitorState.name)
  const places: [string, number][] = [
    ...deleted.map(([table, rows]): [string, number] => [`postgresql/${table}`, rows]),
    ['s3', objects],
    // Also when something refused: the proof names it, and the next request begins anew.
    [everywhere, 0],
  ]
  const confirmed = places.map(([place, erased]) => ({ ...ofState, place, erased }))
  await write(world, topics.privacyConfirmations, playerId, confirmed)
  return { requestId, refused }
}

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
  const encoder = new Encoder<N>(topic.record, await schemas.register(topic.record, topic.name))
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

/** Nothing that can be seen stands between what the group has committed and the end: markers do. */
async function hasPassed(
  kafka: Kafka,
  group: string,
  { name }: Topic,
  partition: number,
  end: bigint,
): Promise<boolean> {
  const next = await kafka.committedOffset(group, name, partition)
  if (next >= end) return true
  for await (const records of kafka.read(name, partition, next, end)) {
    if (records.length > 0) return false
  }
  return true
}
