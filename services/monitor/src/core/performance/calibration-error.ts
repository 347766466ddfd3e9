// Do as many leave as the scores say?
import type { Labelled } from './labelled.ts'

/** Expected calibration error: Σ (n_b / n) |mean score − churn rate| over bins of equal size. */
export function calibrationError({ scores, churned }: Labelled, bins = 10): number {
  const n = scores.length
  const order = Uint32Array.from({ length: n }, (_, row) => row).sort(
    (a, b) => (scores[a] as number) - (scores[b] as number) || a - b,
  )
  let error = 0
  for (let bin = 0; bin < bins; bin++) {
    const [start, end] = equalParts(n, bins, bin)
    let difference = 0
    for (let at = start; at < end; at++) {
      const row = order[at] as number
      difference += (scores[row] as number) - (churned[row] as number)
    }
    error += Math.abs(difference)
  }
  return n === 0 ? NaN : error / n
}

/** The first parts hold one more when it does not come out even. */
function equalParts(n: number, parts: number, part: number): readonly [number, number] {
  const size = Math.floor(n / parts)
  const longer = n % parts
  const start = part * size + Math.min(part, longer)
  return [start, start + size + (part < longer ? 1 : 0)]
}
