// How does simulated history become a training set, through the code that serves?
import { catalogue, type PlayerActivity } from '@churnstream/schemas'
import { PartitionState, dayOf, type Result, type Vector } from '@churnstream/features'
import { simulate } from '@churnstream/simulator'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export interface TrainingSetOptions {
  readonly file: string
  readonly players: number
  readonly days: number
  readonly seed: number
  /** History ends here. Fixed by the caller, so that the same call gives the same set. */
  readonly endAt: number
  /** Share of the labelled player-days that are kept. */
  readonly share: number
  readonly onProgress?: (line: string) => void
}

const dayMs = 86_400_000
const columns = catalogue.map(({ name }) => name)

export const trainingSetHeader = ['player_id', 'as_of', ...columns, 'churned'].join(',')

/**
 * One row for each labelled player and UTC day: one vector of that day, drawn evenly among the
 * day's vectors (a label speaks of the whole day), and the label that the features service gave.
 * Gzipped CSV; an empty field is null. Returns the number of rows.
 */
export async function buildTrainingSet(options: TrainingSetOptions): Promise<number> {
  let rows = 0
  const lines = function* (): Generator<string> {
    yield `${trainingSetHeader}\n`
    for (const row of labelledRows(options)) {
      rows++
      yield `${row}\n`
    }
  }
  const source = Readable.from(chunked(lines(), 500))
  await pipeline(source, createGzip({ level: 4 }), createWriteStream(options.file))
  return rows
}

export function* labelledRows(options: TrainingSetOptions): Generator<string> {
  const { players, days, seed, endAt, share, onProgress } = options
  const state = new PartitionState()
  const waiting = new Map<string, { vector: Vector; seen: number }>()
  const draw = createDraw(seed)
  const startAt = endAt - days * dayMs
  let offset = 0
  let nextReportDay = 0
  for (const step of simulate({ seed, players, startAt, endAt, signUpDays: days * 0.75 })) {
    const result: Result | string =
      'event' in step
        ? state.onActivity(step.event satisfies PlayerActivity, offset)
        : state.onClock(step.clockAt, offset)
    offset++
    state.takeChanges()
    if (typeof result === 'string') continue
    for (const { playerId, asOfDay, churned } of result.outcomes) {
      const key = `${playerId} ${asOfDay}`
      const chosen = waiting.get(key)
      if (chosen === undefined) continue
      waiting.delete(key)
      yield toRow(chosen.vector, churned)
    }
    for (const vector of result.vectors) {
      const key = `${vector.playerId} ${dayOf(vector.asOf)}`
      const known = waiting.get(key)
      if (known === undefined) {
        if (keeps(key, seed, share)) waiting.set(key, { vector, seen: 1 })
        continue
      }
      // Reservoir of one: each vector of the day has the same chance.
      known.seen++
      if (draw() * known.seen < 1) known.vector = vector
    }
    const day = Math.floor((step.deliverAt - startAt) / dayMs)
    if (day < nextReportDay) continue
    nextReportDay = day + Math.ceil(days / 4)
    onProgress?.(`replayed ${day} of ${days} days, ${offset} records`)
  }
}

function toRow({ playerId, asOf, features }: Vector, churned: boolean): string {
  const values = columns.map((name) => features[name] ?? '')
  return [playerId, asOf, ...values, churned ? 1 : 0].join(',')
}

/** Whether a player-day is in the sample: by its name, so that it does not depend on order. */
function keeps(key: string, seed: number, share: number): boolean {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32 < share
}

/** Mulberry32: a small seeded generator, good enough to draw a row of a day. */
function createDraw(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function* chunked(lines: Iterable<string>, size: number): Generator<string> {
  let part: string[] = []
  for (const line of lines) {
    part.push(line)
    if (part.length < size) continue
    yield part.join('')
    part = []
  }
  if (part.length > 0) yield part.join('')
}
