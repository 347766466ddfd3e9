// Where do two cumulative distributions differ most?

/** Largest |F − G| at the edges of ordered bins: exact there, a lower bound in between. */
export function kolmogorovSmirnov(
  reference: readonly number[],
  current: readonly number[],
): number {
  let difference = 0
  let largest = 0
  for (const [bin, q] of reference.entries()) {
    difference += (current[bin] as number) - q
    largest = Math.max(largest, Math.abs(difference))
  }
  return largest
}
