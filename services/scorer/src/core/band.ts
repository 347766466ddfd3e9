// How urgent is a score?

/** Lower bounds, highest first. */
const bands = [
  [0.8, 'critical'],
  [0.6, 'at-risk'],
  [0.35, 'watch'],
] as const

export type Band = (typeof bands)[number][1] | 'low'

export function bandOf(score: number): Band {
  for (const [from, band] of bands) if (score >= from) return band
  return 'low'
}
