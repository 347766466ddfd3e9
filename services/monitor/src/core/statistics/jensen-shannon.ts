// How far apart are two distributions, between 0 and 1?

/** Jensen–Shannon distance with logarithms of base 2: 0 when equal, 1 when nothing is shared. */
export function jensenShannonDistance(
  reference: readonly number[],
  current: readonly number[],
): number {
  let divergence = 0
  for (const [bin, q] of reference.entries()) {
    const p = current[bin] as number
    const middle = (p + q) / 2
    if (p > 0) divergence += (p / 2) * Math.log2(p / middle)
    if (q > 0) divergence += (q / 2) * Math.log2(q / middle)
  }
  return Math.sqrt(Math.max(0, divergence))
}
