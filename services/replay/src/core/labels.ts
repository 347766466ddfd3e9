// Which row of each labelled day is learnt from?
import { dayOf, type Outcome, type Result, type Vector } from '@churnstream/features'
import { catalogue } from '@churnstream/schemas'

export interface SampleOptions {
  readonly seed: number
  /** Share of the labelled player-days that are kept. */
  readonly share: number
  /** Only rows of players who were there; undefined: of all. */
  readonly market?: string | undefined
  /** Only rows as of this instant or later; undefined: from the beginning. */
  readonly fromAt?: number | undefined
}

export interface LabelledVector {
  readonly vector: Vector
  readonly churned: boolean
}

/**
 * One vector for each labelled player and UTC day, drawn evenly among the vectors of that day (a
 * label speaks of the whole day). A vector is as the stream gave it: it holds what had come by then.
 */
export class DaySample {
  readonly #options: SampleOptions
  readonly #waiting = new Map<string, { vector: Vector; seen: number }>()
  readonly #draw: () => number

  /** Each partition draws for itself, so that its rows do not depend on the others. */
  constructor(options: SampleOptions, partition: number) {
    this.#options = options
    this.#draw = createDraw(options.seed + partition * 7_919)
  }

  /** The rows whose labels this result tells. */
  add({ vectors, outcomes }: Result): LabelledVector[] {
    const rows = outcomes.flatMap((outcome) => this.#settle(outcome))
    for (const vector of vectors) this.#take(vector)
    return rows
  }

  #settle({ playerId, asOfDay, churned }: Outcome): LabelledVector[] {
    const key = `${playerId} ${asOfDay}`
    const chosen = this.#waiting.get(key)
    if (chosen === undefined) return []
    this.#waiting.delete(key)
    return [{ vector: chosen.vector, churned }]
  }

  #take(vector: Vector): void {
    const { seed, share, market, fromAt = -Infinity } = this.#options
    if (vector.asOf < fromAt) return
    if (market !== undefined && vector.features.market !== market) return
    const key = `${vector.playerId} ${dayOf(vector.asOf)}`
    const known = this.#waiting.get(key)
    if (known === undefined) {
      if (keeps(key, seed, share)) this.#waiting.set(key, { vector, seen: 1 })
      return
    }
    // Reservoir of one: each vector of the day has the same chance.
    known.seen++
    if (this.#draw() * known.seen < 1) known.vector = vector
  }
}

const columns = catalogue.map(({ name }) => name)

export const trainingSetHeader = ['player_id', 'as_of', ...columns, 'churned'].join(',')

/** A line of CSV. An empty field is null. */
export function toCsvRow({ vector, churned }: LabelledVector): string {
  const { playerId, asOf, features } = vector
  const values = columns.map((name) => quoted(features[name] ?? ''))
  return [quoted(playerId), asOf, ...values, churned ? 1 : 0].join(',')
}

function quoted(value: string | number): string | number {
  if (typeof value === 'number' || !/[",]/.test(value)) return value
  return `"${value.replaceAll('"', '""')}"`
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
