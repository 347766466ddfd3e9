// How far would values have to be moved, in standard deviations?

const leastSd = 0.001

export interface Scale {
  /** Inner edges of the ordered bins, ascending: one fewer than bins. */
  readonly edges: readonly number[]
  readonly min: number
  readonly max: number
  readonly sd: number
}

/**
 * ∫ |F − G| dx over the reference's range, by the reference's standard deviation (at least 0.001).
 * F and G are known at the edges and taken as straight in between, so a value outside the range
 * counts as if it stood at its end.
 */
export function scaledWasserstein(
  reference: readonly number[],
  current: readonly number[],
  { edges, min, max, sd }: Scale,
): number {
  const places = [min, ...edges, max]
  let before = 0
  let area = 0
  for (const [bin, q] of reference.entries()) {
    const after = before + (current[bin] as number) - q
    const width = Math.max(0, (places[bin + 1] as number) - (places[bin] as number))
    area += width * meanAbsolute(before, after)
    before = after
  }
  return area / Math.max(leastSd, sd)
}

/** Mean of |y| along a straight line from a to b. */
function meanAbsolute(a: number, b: number): number {
  if (a * b >= 0) return (Math.abs(a) + Math.abs(b)) / 2
  return (a * a + b * b) / (2 * (Math.abs(a) + Math.abs(b)))
}
