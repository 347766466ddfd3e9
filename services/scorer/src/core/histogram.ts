// How are scores spread, and how far apart are two spreads?

const bins = 10

/** Counts of scores in ten bins of equal width. */
export class ScoreHistogram {
  readonly counts: number[] = Array.from({ length: bins }, () => 0)
  total = 0

  add(score: number): void {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(score * bins)))
    this.counts[bin] = (this.counts[bin] as number) + 1
    this.total++
  }
}

/**
 * Population stability index, Σ (a − b) · ln(a / b) over the bins' shares: 0 for equal spreads,
 * above 0.25 commonly called a large shift. Half a count in each bin keeps empty ones finite.
 */
export function stabilityIndex(a: ScoreHistogram, b: ScoreHistogram): number {
  const share = ({ counts, total }: ScoreHistogram, bin: number) =>
    ((counts[bin] as number) + 0.5) / (total + 0.5 * bins)
  let index = 0
  for (let bin = 0; bin < bins; bin++) {
    const [shareA, shareB] = [share(a, bin), share(b, bin)]
    index += (shareA - shareB) * Math.log(shareA / shareB)
  }
  return index
}
