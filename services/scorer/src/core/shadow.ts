// How does a challenger compare with the champion on the same vectors?
import type { Figure } from '@churnstream/schemas'
import { bandOf } from './band.ts'

/** Sums that can be added up over replicas; see load-report.avsc. */
export class ShadowSums {
  rows = 0
  sameBand = 0
  sumDifference = 0
  sumAbsoluteDifference = 0
  shadowMicroseconds = 0
  championMicroseconds = 0
  skippedRows = 0

  add(championScore: number, shadowScore: number): void {
    const difference = shadowScore - championScore
    this.rows++
    if (bandOf(championScore) === bandOf(shadowScore)) this.sameBand++
    this.sumDifference += difference
    this.sumAbsoluteDifference += Math.abs(difference)
  }

  figures(): Figure[] {
    return Object.entries(this).map(([name, value]) => ({ name, value: value as number }))
  }
}

/** Whether a player is in a sample of this share: always the same players. */
export function isSampled(playerId: string, share: number): boolean {
  if (share >= 1) return true
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5
  for (let index = 0; index < playerId.length; index++) {
    hash = Math.imul(hash ^ playerId.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) / 2 ** 32 < share
}
