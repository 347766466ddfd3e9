// Has a rate risen above its reference by more than chance?
import { normalTwoSidedTail } from './chi-squared.ts'

export interface Rate {
  readonly count: number
  readonly rows: number
}

/** One-sided p-value of two pooled proportions: how probable so high a rate is, if nothing changed. */
export function risePValue(current: Rate, reference: Rate): number {
  const pooled = (current.count + reference.count) / (current.rows + reference.rows)
  const rise = current.count / current.rows - reference.count / reference.rows
  if (rise === 0) return 0.5
  const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / current.rows + 1 / reference.rows))
  const tail = normalTwoSidedTail(rise / deviation) / 2
  return rise > 0 ? tail : 1 - tail
}
