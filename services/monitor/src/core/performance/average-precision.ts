// How pure is the top of the list, over all lengths of it?
import { byScore, countChurned, type Labelled } from './labelled.ts'

/** Σ (Rₙ − Rₙ₋₁) Pₙ over distinct scores: area under precision and recall without interpolation. */
export function averagePrecision(rows: Labelled): number {
  const { scores, churned } = rows
  const total = countChurned(rows)
  const order = byScore(scores)
  let found = 0
  let sum = 0
  for (let start = 0; start < order.length;) {
    const score = scores[order[start] as number]
    let end = start
    let here = 0
    for (; end < order.length && scores[order[end] as number] === score; end++) {
      here += churned[order[end] as number] as number
    }
    found += here
    sum += (here / total) * (found / end)
    start = end
  }
  return sum
}
