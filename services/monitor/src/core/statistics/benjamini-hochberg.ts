// Which of many tests may be believed together?

/**
 * Benjamini and Hochberg, 1995: of the tests that it names, a share of at most `level` is expected
 * to be false. Returns the largest p-value that still counts; -1 when none does,
 * for one may be as small as 0.
 */
export function falseDiscoveryLimit(pValues: readonly number[], level: number): number {
  const sorted = pValues.toSorted((a, b) => a - b)
  for (let rank = sorted.length; rank > 0; rank--) {
    const p = sorted[rank - 1] as number
    if (p <= (level * rank) / sorted.length) return p
  }
  return -1
}
