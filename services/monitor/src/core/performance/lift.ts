// How many more leave among those with the highest scores?
import { byScore, countChurned, type Labelled } from './labelled.ts'

/** Churn rate of the top share (at least one row) over the churn rate of all. */
export function liftAt(share: number, rows: Labelled): number {
  const { scores, churned } = rows
  const order = byScore(scores)
  const top = Math.max(1, Math.round(order.length * share))
  let found = 0
  for (let at = 0; at < top; at++) found += churned[order[at] as number] as number
  return found / top / (countChurned(rows) / order.length)
}
