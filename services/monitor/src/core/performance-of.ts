// How good were the scores of a window, now that it is known what became of the players?
import { tenureBandNames } from './days.ts'
import type { State, Statistic } from './inputs.ts'
import { averagePrecision } from './performance/average-precision.ts'
import { brierScore } from './performance/brier.ts'
import { calibrationError } from './performance/calibration-error.ts'
import { calibrationLine } from './performance/calibration-line.ts'
import { countChurned, interval95, type Labelled, type Measured } from './performance/labelled.ts'
import { liftAt } from './performance/lift.ts'
import { createCalibration, estimate } from './performance/estimated.ts'
import { logLoss } from './performance/log-loss.ts'
import { rocAuc, rocAucDifference } from './performance/roc-auc.ts'
import { readMark } from './player-days.ts'
import type { Profile } from './profile.ts'

export interface PerformanceSettings {
  readonly minLabels: number
  readonly minChurned: number
  /** The AUC may fall by this or by three standard errors, whichever is more. */
  readonly aucEffect: number
  /** The log loss may exceed what the scores foretell by this share, or three standard errors. */
  readonly logLossEffect: number
  readonly calibrationError: number
}

export const usualPerformanceSettings: PerformanceSettings = {
  minLabels: 1_000,
  minChurned: 200,
  aucEffect: 0.02,
  logLossEffect: 0.05,
  calibrationError: 0.05,
}

/** A figure with its interval of 95 %, where it has one. */
export interface Figure extends Statistic {
  readonly low: number | null
  readonly high: number | null
}

export interface Cohorts {
  readonly scores: readonly number[]
  readonly marks: readonly number[]
  /** NaN where the champion scored another vector; empty for a champion. */
  readonly championScores: readonly number[]
}

/** Who is looked at apart: everybody, each tenure band, and who bet in the last 7 days. */
export const segments: readonly [string, (mark: number) => boolean][] = [
  ['*', () => true],
  ...tenureBandNames.map((name, band): [string, (mark: number) => boolean] => [
    name,
    (mark) => readMark(mark).tenureBand === band,
  ]),
  ['active-7d', (mark) => readMark(mark).isActive],
]

export function inSegment(cohorts: Cohorts, belongs: (mark: number) => boolean): Cohorts {
  const rows = cohorts.marks.flatMap((mark, row) => (belongs(mark) ? [row] : []))
  const pick = (values: readonly number[]) =>
    values.length === 0 ? [] : rows.map((row) => values[row] as number)
  return {
    scores: pick(cohorts.scores),
    marks: pick(cohorts.marks),
    championScores: pick(cohorts.championScores),
  }
}

export interface Performance {
  readonly state: State | 'no-profile'
  readonly labels: number
  readonly churned: number
  readonly figures: readonly Figure[]
}

/**
 * Held against the profile's test days: the AUC; against what the scores foretell: log loss and
 * calibration. Segments have no reference of their own: they are measured and not judged.
 */
export function measure(
  cohorts: Cohorts,
  profile: Profile | null,
  settings: PerformanceSettings,
): Performance {
  const rows: Labelled = {
    scores: cohorts.scores,
    churned: cohorts.marks.map((mark) => readMark(mark).churned),
  }
  const labels = rows.scores.length
  const churned = countChurned(rows)
  if (labels < settings.minLabels || churned < settings.minChurned) {
    return { state: 'insufficient-data', labels, churned, figures: [] }
  }
  const auc = rocAuc(rows)
  const loss = logLoss(rows)
  const { slope, intercept } = calibrationLine(rows)
  const aucFloor =
    profile?.auc === undefined
      ? null
      : profile.auc.value -
        Math.max(settings.aucEffect, 3 * Math.hypot(auc.standardError, profile.auc.standardError))
  const lossCeiling = profile === null ? null : lossCeilingOf(rows, profile, loss, settings)
  const errorCeiling = profile === null ? null : settings.calibrationError
  const figures: Figure[] = [
    below('auc', auc, aucFloor),
    plain('average-precision', averagePrecision(rows)),
    above('log-loss', loss, lossCeiling),
    informed('brier', brierScore(rows)),
    above('calibration-error', { value: calibrationError(rows), standardError: NaN }, errorCeiling),
    informed('calibration-slope', slope),
    informed('calibration-intercept', intercept),
    plain('lift-10', liftAt(0.1, rows)),
    plain('churn-rate', churned / labels),
    ...gainOf(cohorts, rows),
  ]
  const state = profile === null ? 'no-profile' : figures.some(isAlarm) ? 'alarm' : 'ok'
  return { state, labels, churned, figures }
}

/**
 * Above what these very scores, calibrated as on the test days, foretell. The test's own loss would be
 * exceeded wherever more players leave and the model knows it.
 */
function lossCeilingOf(
  { scores }: Labelled,
  { calibration }: Profile,
  { standardError }: Measured,
  { logLossEffect }: PerformanceSettings,
): number {
  const ones = new Uint8Array(scores.length).fill(1)
  const foretold = estimate(scores, ones, createCalibration(calibration)).logLoss.value
  return foretold + Math.max(logLossEffect * foretold, 3 * standardError)
}

const isAlarm = ({ state }: Figure): boolean => state === 'alarm'

/** Challenger less champion on the vectors that both have scored. */
function gainOf({ scores, championScores }: Cohorts, { churned }: Labelled): Figure[] {
  const both = championScores.flatMap((score, row) => (Number.isNaN(score) ? [] : [row]))
  const pick = (values: ArrayLike<number>) => both.map((row) => values[row] as number)
  const [champion, challenger, known] = [pick(championScores), pick(scores), pick(churned)]
  if (!known.includes(1) || !known.includes(0)) return []
  return [
    informed('auc-gain', rocAucDifference(champion, challenger, known)),
    plain('paired-rows', both.length),
  ]
}

function figure(name: string, measured: Measured, threshold: number | null, state: State): Figure {
  const [low, high] = interval95(measured)
  const hasInterval = Number.isFinite(low)
  const { value } = measured
  return {
    name,
    subject: '',
    value,
    low: hasInterval ? low : null,
    high: hasInterval ? high : null,
    threshold,
    state,
  }
}

const informed = (name: string, measured: Measured): Figure => figure(name, measured, null, 'ok')
const plain = (name: string, value: number): Figure => informed(name, { value, standardError: NaN })
const below = (name: string, measured: Measured, floor: number | null): Figure =>
  figure(name, measured, floor, floor !== null && measured.value < floor ? 'alarm' : 'ok')
const above = (name: string, measured: Measured, ceiling: number | null): Figure =>
  figure(name, measured, ceiling, ceiling !== null && measured.value > ceiling ? 'alarm' : 'ok')
