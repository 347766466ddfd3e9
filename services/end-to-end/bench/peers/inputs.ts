// What goes in: which events, which vectors of them, and where does each stand?
import type { ConsumedRecord, Kafka, OutgoingRecord } from '@churnstream/runtime'
import { DecodeProblem, Decoder, type RecordDecoder, type Schemas } from '@churnstream/schemas'
import { Projection, VectorDecoder, type VectorView } from '@churnstream/schemas/model'
import { simulate, type EventStep } from '@churnstream/simulator'
import { services, topics, type Topic } from '@churnstream/topology'
import type { OwnedProcess } from '@churnstream/topology/local'
import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { activityRecord, openActivityWriter } from '../../pipeline/activity.ts'
import { progressOf } from '../../pipeline/progress.ts'

const dayMs = 86_400_000
const startAt = Date.UTC(2026, 0, 1)
/** They do about twice as much in that time: what follows is the load of open loops. */
const eventsPerPlayer = 35

/** The same at every run; without clock records, which only ours would answer. */
function* simulatedEvents(preloaded: number): Generator<EventStep> {
  const players = Math.ceil(preloaded / eventsPerPlayer)
  const endAt = startAt + 90 * dayMs
  for (const step of simulate({ seed: 12, players, startAt, endAt, signUpDays: 30 })) {
    if ('event' in step) yield step
  }
}

export async function writeActivity(
  kafka: Kafka,
  schemas: Schemas,
  preloaded: number,
): Promise<void> {
  const writer = await openActivityWriter(kafka, schemas)
  await writer.write(simulatedEvents(preloaded).take(preloaded))
  await writer.close()
}

/** For an open loop: vectors that stand in the topic, once more. */
export async function vectorLoad(kafka: Kafka, count: number): Promise<OutgoingRecord[]> {
  const { name: topic, partitions } = topics.featureVectors
  const load: OutgoingRecord[] = []
  const each = Math.ceil(count / partitions)
  for (let partition = 0; partition < partitions; partition++) {
    let left = each
    for await (const records of kafka.read(topic, partition)) {
      const some = records.slice(0, left)
      load.push(...some.map(({ key, value }) => ({ topic, partition, key, value })))
      left -= some.length
      if (left === 0) break
    }
  }
  if (load.length < count) throw new Error(`${load.length} vectors are too few for ${count}`)
  // In turn, as players come.
  return Array.from({ length: count }, (_, index) => {
    return load[(index % partitions) * each + Math.floor(index / partitions)] as OutgoingRecord
  })
}

/** For an open loop: what happens after the events that were preloaded. */
export async function activityLoad(
  schemas: Schemas,
  preloaded: number,
  count: number,
): Promise<OutgoingRecord[]> {
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const load = simulatedEvents(preloaded)
    .drop(preloaded)
    .take(count)
    .map(({ event }) => activityRecord(encoder, event))
    .toArray()
  if (load.length < count) throw new Error(`${load.length} events are too few for ${count}`)
  return load
}

/** Until features has made a vector of every event. */
export async function makeVectors(
  kafka: Kafka,
  features: OwnedProcess,
  signal: AbortSignal,
): Promise<void> {
  const { playerActivity } = topics
  for (let partition = 0; partition < playerActivity.partitions; partition++) {
    while ((await progressOf(kafka, services.features, playerActivity, partition)).isLeft) {
      if (features.hasExited) throw new Error(`features ended: ${features.logFile}`)
      await delay(500, undefined, { signal })
    }
  }
  await features.stop()
}

/** Where records stand, by partition. */
export type Offsets = readonly (readonly number[])[]

export interface Rows {
  readonly offsets: Offsets
  /** Where the event of each vector stands, in the order of the rows. */
  readonly causes: readonly { readonly partition: number; readonly offset: number }[]
}

/** The rows of all vectors into a file, by partition. */
export async function writeRows(
  kafka: Kafka,
  schemas: Schemas,
  columns: readonly string[],
  file: string,
): Promise<Rows> {
  const projection = Projection.of(columns.map((name) => ({ name })))
  if (!(projection instanceof Projection)) throw projection
  const causes: { partition: number; offset: number }[] = []
  const offsets = await writeEach(
    kafka,
    schemas,
    topics.featureVectors,
    new VectorDecoder(),
    file,
    (vectors: readonly VectorView[]) => {
      for (const { causePartition: partition, causeOffset: offset } of vectors) {
        causes.push({ partition, offset })
      }
      return Buffer.from(projection.rows(vectors).buffer)
    },
  )
  return { offsets, causes }
}

/** All events into a file, as JSON lines, by partition. */
export function writeEvents(kafka: Kafka, schemas: Schemas, file: string): Promise<Offsets> {
  const toLines = (events: readonly object[]): string =>
    events.map((event) => `${JSON.stringify(event)}\n`).join('')
  const decoder = new Decoder('player-activity')
  return writeEach(kafka, schemas, topics.playerActivity, decoder, file, toLines)
}

async function writeEach<V>(
  kafka: Kafka,
  schemas: Schemas,
  topic: Topic,
  decoder: RecordDecoder<V>,
  file: string,
  toBytes: (values: readonly V[]) => Buffer | string,
): Promise<Offsets> {
  const out = createWriteStream(file)
  const offsets: number[][] = []
  for (let partition = 0; partition < topic.partitions; partition++) {
    const own: number[] = []
    for await (const records of kafka.read(topic.name, partition)) {
      const values = await decoded(schemas, decoder, records)
      own.push(...records.map(({ offset }) => Number(offset)))
      if (!out.write(toBytes(values))) await once(out, 'drain')
    }
    offsets.push(own)
  }
  out.end()
  await once(out, 'close')
  return offsets
}

/** @throws Error where one can't be read: nothing here is written by anybody else */
export async function decoded<V>(
  schemas: Schemas,
  decoder: RecordDecoder<V>,
  records: readonly ConsumedRecord[],
): Promise<V[]> {
  await schemas.prepare(
    decoder,
    records.map(({ value }) => value),
  )
  return records.map(({ value }) => {
    const one = decoder.decode(value)
    if (one instanceof DecodeProblem) throw one
    return one
  })
}
