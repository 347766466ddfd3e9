// What would the performance of a window be, by its scores alone?
import type { BinCounts } from './bins.ts'
import type { State } from './inputs.ts'
import { createCalibration, estimate } from './performance/estimated.ts'
import { interval95 } from './performance/labelled.ts'
import type { Figure, PerformanceSettings } from './performance-of.ts'
import { scoreBins, type Profile } from './profile.ts'

const middles = Array.from({ length: scoreBins }, (_, bin) => (bin + 0.5) / scoreBins)

/**
 * An estimate outside three standard errors of the test's AUC, in either direction, alarms: it says
 * that inputs moved to where scores tell more or less. It is blind to concept drift.
 */
export function estimateOf(
  profile: Profile,
  counts: BinCounts,
  minRows: number,
  { aucEffect }: PerformanceSettings,
): { readonly state: State; readonly statistics: readonly Figure[] } {
  if (counts.rows < minRows) return { state: 'insufficient-data', statistics: [] }
  const { auc, logLoss } = estimate(middles, counts.score, createCalibration(profile.calibration))
  const reference = profile.auc
  const allowed =
    reference === undefined
      ? null
      : Math.max(aucEffect, 3 * Math.hypot(auc.standardError, reference.standardError))
  const isOut =
    reference !== undefined && allowed !== null && Math.abs(auc.value - reference.value) > allowed
  const [low, high] = interval95(auc)
  const [lossLow, lossHigh] = interval95(logLoss)
  const state = isOut ? 'alarm' : 'ok'
  const threshold = reference === undefined || allowed === null ? null : reference.value - allowed
  return {
    state,
    statistics: [
      { name: 'estimated-auc', subject: '', value: auc.value, low, high, threshold, state },
      {
        name: 'estimated-log-loss',
        subject: '',
        value: logLoss.value,
        low: lossLow,
        high: lossHigh,
        threshold: null,
        state: 'ok',
      },
    ],
  }
}
