// Into which bins of its profile does a row fall, and how many fell there?
import { scoreBins, type FeatureReference, type Profile } from './profile.ts'

export type Value = number | string | null | undefined

/** The bin of a value; one that is no number or no text counts as null. */
export function binOf(reference: FeatureReference, value: Value): number {
  const nulls = reference.shares.length - 1
  if (reference.kind === 'numeric') {
    return typeof value === 'number' && !Number.isNaN(value)
      ? edgesBelow(reference.scale.edges, value)
      : nulls
  }
  if (typeof value !== 'string') return nulls
  const level = reference.levels.indexOf(value)
  return level < 0 ? nulls - 1 : level
}

/** One byte for each feature of the profile, in its order. */
export function binsOf(profile: Profile, values: Readonly<Record<string, Value>>): Buffer {
  return Buffer.from(profile.features.map((reference) => binOf(reference, values[reference.name])))
}

export const scoreBinOf = (score: number): number =>
  Math.min(scoreBins - 1, Math.max(0, Math.ceil(score * scoreBins) - 1))

/** Rows of a window by feature and bin. Adding rows and merging parts give the same in any order. */
export class BinCounts {
  rows = 0
  /** By feature, in the profile's order; empty where the version has no profile. */
  readonly features: number[][]
  readonly score: number[]

  private constructor(features: number[][], score: number[]) {
    this.features = features
    this.score = score
  }

  /** @param widths number of bins of each feature */
  static empty(widths: readonly number[]): BinCounts {
    return new BinCounts(widths.map(zeros), zeros(scoreBins))
  }

  static of(rows: number, features: readonly (readonly number[])[], score: readonly number[]) {
    const counts = new BinCounts(
      features.map((bins) => [...bins]),
      [...score],
    )
    counts.rows = rows
    return counts
  }

  add(bins: Uint8Array, score: number): void {
    this.rows++
    for (const [feature, counts] of this.features.entries())
      increment(counts, bins[feature] as number)
    increment(this.score, scoreBinOf(score))
  }

  /** @throws RangeError when the other was counted against another profile */
  merge(other: BinCounts): void {
    if (other.features.length !== this.features.length) {
      throw new RangeError(`${other.features.length} features meet ${this.features.length}`)
    }
    this.rows += other.rows
    for (const [feature, counts] of this.features.entries()) {
      addAll(counts, other.features[feature] as number[])
    }
    addAll(this.score, other.score)
  }
}

export const widthsOf = (profile: Profile): number[] =>
  profile.features.map(({ shares }) => shares.length)

const zeros = (length: number): number[] => Array.from({ length }, () => 0)

function increment(counts: number[], bin: number): void {
  counts[bin] = (counts[bin] as number) + 1
}

function addAll(counts: number[], others: readonly number[]): void {
  if (others.length !== counts.length) {
    throw new RangeError(`${others.length} bins meet ${counts.length}`)
  }
  for (const [bin, count] of others.entries()) counts[bin] = (counts[bin] as number) + count
}

/** How many edges lie below the value: bins are open below and closed above. */
function edgesBelow(edges: readonly number[], value: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((edges[middle] as number) < value) low = middle + 1
    else high = middle
  }
  return low
}
