// Which share of the rows does each bin hold?

/** A bin that nothing fell into holds this share, so that its logarithm is finite. */
export const leastShare = 1e-4

export function toShares(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => (total === 0 ? 0 : count / total))
}
