// How good is the model probably, before anybody knows what became of the players?
import { hanleyMcNeilError } from './roc-auc.ts'
import { clamped } from './log-loss.ts'
import type { Measured } from './labelled.ts'

/** What was foretold and what happened, lowest scores first: a profile's calibration. */
export interface CalibrationBin {
  readonly count: number
  readonly meanScore: number
  readonly churnRate: number
}

/** A score into a probability that can be believed. */
export type Calibrate = (score: number) => number

/**
 * Isotonic: churn rates made non-decreasing by pooling adjacent violators, straight in between.
 * Without bins the scores are taken as they are.
 */
export function createCalibration(bins: readonly CalibrationBin[]): Calibrate {
  const pools: { count: number; score: number; rate: number }[] = []
  for (const { count, meanScore, churnRate } of bins) {
    pools.push({ count, score: meanScore, rate: churnRate })
    for (;;) {
      const [before, last] = [pools.at(-2), pools.at(-1)]
      if (before === undefined || last === undefined || before.rate < last.rate) break
      const total = before.count + last.count
      const mean = (of: 'score' | 'rate') =>
        (before[of] * before.count + last[of] * last.count) / total
      pools.splice(-2, 2, { count: total, score: mean('score'), rate: mean('rate') })
    }
  }
  if (pools.length === 0) return (score) => score
  const points = [{ score: 0, rate: 0 }, ...pools, { score: 1, rate: 1 }]
  return (score) => {
    const after = points.findIndex((point) => point.score >= score)
    if (after <= 0) return after === 0 ? 0 : 1
    const [low, high] = [points[after - 1], points[after]] as [CalibrationPoint, CalibrationPoint]
    if (high.score === low.score) return high.rate
    return low.rate + ((high.rate - low.rate) * (score - low.score)) / (high.score - low.score)
  }
}

interface CalibrationPoint {
  readonly score: number
  readonly rate: number
}

export interface Estimated {
  readonly auc: Measured
  readonly logLoss: Measured
}

/**
 * Confidence-based estimation: each row counts as churned with its calibrated probability. It sees
 * that inputs moved to where scores tell less. It is blind to concept drift, and never a measurement.
 * The errors are those that so many rows of unknown outcome would have.
 * @param scores of distinct rows, or of bins with `counts`
 */
export function estimate(
  scores: ArrayLike<number>,
  counts: ArrayLike<number>,
  calibrate: Calibrate,
): Estimated {
  const order = Uint32Array.from({ length: scores.length }, (_, index) => index).sort(
    (a, b) => (scores[b] as number) - (scores[a] as number),
  )
  let [churned, stayed, area, loss, lossVariance, rows] = [0, 0, 0, 0, 0, 0]
  for (const index of order) {
    const n = counts[index] as number
    if (n === 0) continue
    const score = clamped(scores[index] as number)
    const p = calibrate(score)
    // Ties of one score count half.
    area += n * (1 - p) * (churned + (n * p) / 2)
    churned += n * p
    stayed += n * (1 - p)
    const [ifChurned, ifStayed] = [-Math.log(score), -Math.log(1 - score)]
    loss += n * (p * ifChurned + (1 - p) * ifStayed)
    lossVariance += n * p * (1 - p) * (ifChurned - ifStayed) ** 2
    rows += n
  }
  const auc = area / (churned * stayed)
  return {
    auc: { value: auc, standardError: hanleyMcNeilError(auc, churned, stayed) },
    logLoss: { value: loss / rows, standardError: Math.sqrt(lossVariance) / rows },
  }
}
