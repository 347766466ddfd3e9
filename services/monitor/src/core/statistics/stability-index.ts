// How far has a distribution moved from its reference, and is that more than chance?
import { chiSquaredQuantile, chiSquaredTail } from './chi-squared.ts'
import { leastShare } from './shares.ts'

/**
 * Population stability index Σ (q − p) ln(q / p) over the bins' shares: 0 when they are equal,
 * symmetric, without an upper bound. Shares below 1e-4 count as 1e-4.
 */
export function stabilityIndex(reference: readonly number[], current: readonly number[]): number {
  let index = 0
  for (const [bin, share] of reference.entries()) {
    const q = Math.max(leastShare, share)
    const p = Math.max(leastShare, current[bin] as number)
    index += (q - p) * Math.log(q / p)
  }
  return index
}

export interface Sizes {
  /** Rows of the window, and of the reference. */
  readonly rows: number
  readonly referenceRows: number
  /** Bins that the reference filled. */
  readonly bins: number
}

/**
 * Without drift the index is about (1/n + 1/m) χ²(B − 1), so what is alarming depends on the sizes
 * (Yurdakul and Naranjo 2020). Returns the value that chance exceeds with probability `level`.
 */
export function stabilityThreshold(level: number, { rows, referenceRows, bins }: Sizes): number {
  return chiSquaredQuantile(level, Math.max(1, bins - 1)) * (1 / rows + 1 / referenceRows)
}

/** How probable an index as large is without drift. */
export function stabilityPValue(index: number, { rows, referenceRows, bins }: Sizes): number {
  return chiSquaredTail(index / (1 / rows + 1 / referenceRows), Math.max(1, bins - 1))
}
