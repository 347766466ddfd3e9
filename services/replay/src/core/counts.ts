// What came of a partition, and does it add up?
import type { Folded } from './step.ts'

export interface PartitionCounts extends Folded {
  /** Of the range that was asked for. */
  readonly vectors: number
  readonly scores: number
  /** Vectors that the model gave no number for. */
  readonly rejected: number
}

export const sumOf = (all: readonly PartitionCounts[]): PartitionCounts =>
  all.reduce((sum, one) => ({
    records: sum.records + one.records,
    folded: sum.folded + one.folded,
    clocks: sum.clocks + one.clocks,
    duplicates: sum.duplicates + one.duplicates,
    tooLate: sum.tooLate + one.tooLate,
    poison: added(sum.poison, one.poison),
    vectors: sum.vectors + one.vectors,
    scores: sum.scores + one.scores,
    rejected: sum.rejected + one.rejected,
  }))

/** What does not add up; undefined when all does. */
export function imbalance(counts: PartitionCounts): string | undefined {
  const { records, folded, clocks, duplicates, tooLate, poison, vectors, scores, rejected } = counts
  const poisoned = Object.values(poison).reduce((sum, count) => sum + count, 0)
  if (records !== folded + clocks + duplicates + tooLate + poisoned) {
    return (
      `${records} records came in; ${folded} were folded, ${clocks} told the time, ${duplicates} ` +
      `were duplicates, ${tooLate} too late and ${poisoned} poison`
    )
  }
  if (vectors === scores + rejected) return undefined
  return `${vectors} vectors were to be scored; there are ${scores} scores and ${rejected} rejected`
}

function added(a: Folded['poison'], b: Folded['poison']): Record<string, number> {
  const sum = { ...a }
  for (const [reason, count] of Object.entries(b)) sum[reason] = (sum[reason] ?? 0) + count
  return sum
}
