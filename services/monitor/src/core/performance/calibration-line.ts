// Are the scores too bold, too timid, or off to one side?
import { clamped } from './log-loss.ts'
import type { Labelled, Measured } from './labelled.ts'

export interface CalibrationLine {
  /** 1 is right; below 1 the scores are too bold. */
  readonly slope: Measured
  /** 0 is right; above 0 more leave than foretold. */
  readonly intercept: Measured
}

const steps = 50

/**
 * Logistic regression, without penalty, of what happened on the score's log odds, by Newton's method.
 * NaN when all scores are equal or only one answer occurs.
 */
export function calibrationLine({ scores, churned }: Labelled): CalibrationLine {
  const odds = Float64Array.from({ length: scores.length }, (_, row) => {
    const score = clamped(scores[row] as number)
    return Math.log(score / (1 - score))
  })
  let [a, b] = [0, 1]
  for (let step = 0; step < steps; step++) {
    let [g0, g1, h00, h01, h11] = [0, 0, 0, 0, 0]
    for (let row = 0; row < odds.length; row++) {
      const x = odds[row] as number
      const fitted = 1 / (1 + Math.exp(-(a + b * x)))
      const residual = (churned[row] as number) - fitted
      const weight = fitted * (1 - fitted)
      g0 += residual
      g1 += residual * x
      h00 += weight
      h01 += weight * x
      h11 += weight * x * x
    }
    const determinant = h00 * h11 - h01 * h01
    if (!(determinant > 1e-12 * h00 * h11)) break
    const [da, db] = [(h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant]
    a += da
    b += db
    if (Math.max(Math.abs(da), Math.abs(db)) < 1e-12) {
      return {
        slope: { value: b, standardError: Math.sqrt(h00 / determinant) },
        intercept: { value: a, standardError: Math.sqrt(h11 / determinant) },
      }
    }
  }
  const unknown = { value: NaN, standardError: NaN }
  return { slope: unknown, intercept: unknown }
}
