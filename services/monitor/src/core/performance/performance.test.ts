// Are intervals, estimates and edge cases right, where no library says so?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normals, seeded } from '../testing.ts'
import { averagePrecision } from './average-precision.ts'
import { calibrationLine } from './calibration-line.ts'
import { createCalibration, estimate } from './estimated.ts'
import { interval95 } from './labelled.ts'
import { liftAt } from './lift.ts'
import { logLoss } from './log-loss.ts'
import { hanleyMcNeilError, rocAuc, rocAucDifference } from './roc-auc.ts'

/** Rows whose scores are the very probabilities of what happens. */
function calibrated(seed: number, rows: number) {
  const [draw, normal] = [seeded(seed), normals(seed + 1)]
  const scores = Array.from({ length: rows }, () => 1 / (1 + Math.exp(1.2 - 1.4 * normal())))
  const churned = scores.map((score) => (draw() < score ? 1 : 0))
  return { scores, churned }
}

test('rocAuc - perfect, reversed, constant, and one answer only', () => {
  assert.equal(rocAuc({ scores: [0.1, 0.2, 0.8], churned: [0, 0, 1] }).value, 1)
  assert.equal(rocAuc({ scores: [0.9, 0.2, 0.1], churned: [0, 0, 1] }).value, 0)
  assert.equal(rocAuc({ scores: [0.5, 0.5, 0.5, 0.5], churned: [0, 1, 0, 1] }).value, 0.5)
  assert.ok(Number.isNaN(rocAuc({ scores: [0.5, 0.4], churned: [0, 0] }).value))
})

test('rocAuc - the interval of 95 % holds the true value about 95 times of 100', () => {
  const truth = rocAuc(calibrated(99, 200_000)).value
  let held = 0
  for (let i = 0; i < 300; i++) {
    const [low, high] = interval95(rocAuc(calibrated(1_000 + i, 400)))
    if (low <= truth && truth <= high) held++
  }
  assert.ok(held >= 275 && held <= 297, `${held} of 300`)
})

test('rocAucDifference - a pair on the same rows is told apart better than two samples', () => {
  const { scores, churned } = calibrated(5, 3_000)
  const normal = normals(6)
  const worse = scores.map((score) => score + 0.05 * normal())
  const { value, standardError } = rocAucDifference(worse, scores, churned)
  const apart = rocAuc({ scores, churned })
  assert.ok(Math.abs(value - (apart.value - rocAuc({ scores: worse, churned }).value)) < 1e-12)
  assert.ok(standardError < apart.standardError / 3, `${standardError}`)
  const same = rocAucDifference(scores, scores, churned)
  assert.deepEqual([same.value, same.standardError], [0, 0])
})

test('hanleyMcNeilError - the published sizes: AUC 0.80 with 30 % churn', () => {
  for (const [n, expected] of [
    [500, 0.024],
    [1_000, 0.017],
    [5_000, 0.0074],
    [20_000, 0.0037],
  ] as const) {
    const error = hanleyMcNeilError(0.8, 0.3 * n, 0.7 * n)
    assert.ok(Math.abs(error - expected) < 0.03 * expected, `${error} at ${n}`)
  }
})

test('averagePrecision - ties count together, so their order does not matter', () => {
  const scores = [0.9, 0.5, 0.5, 0.1]
  const first = averagePrecision({ scores, churned: [0, 1, 0, 0] })
  assert.equal(first, averagePrecision({ scores, churned: [0, 0, 1, 0] }))
  assert.equal(first, 1 / 3)
})

test('logLoss - a sure score that was wrong costs much, and never all', () => {
  const { value } = logLoss({ scores: [0], churned: [1] })
  assert.ok(Math.abs(value + Math.log(1e-7)) < 1e-9)
})

test('liftAt - the churn rate of the top tenth over that of all', () => {
  const scores = Array.from({ length: 100 }, (_, row) => 1 - row / 100)
  const churned = scores.map((_, row) => (row < 5 || row === 50 ? 1 : 0))
  assert.ok(Math.abs(liftAt(0.1, { scores, churned }) - 5 / 10 / 0.06) < 1e-12)
})

test('calibrationLine - 1 and 0 for scores that are right, unknown for equal scores', () => {
  const { slope, intercept } = calibrationLine(calibrated(8, 20_000))
  assert.ok(Math.abs(slope.value - 1) < 3 * slope.standardError)
  assert.ok(Math.abs(intercept.value) < 3 * intercept.standardError)
  const flat = calibrationLine({ scores: [0.5, 0.5, 0.5], churned: [0, 1, 1] })
  assert.ok(Number.isNaN(flat.slope.value))
})

test('estimate - agrees with what is measured when the scores are right', () => {
  const { scores, churned } = calibrated(11, 20_000)
  const ones = scores.map(() => 1)
  const { auc, logLoss: loss } = estimate(scores, ones, (score) => score)
  const measured = rocAuc({ scores, churned })
  assert.ok(Math.abs(auc.value - measured.value) < 3 * measured.standardError)
  assert.ok(Math.abs(loss.value - logLoss({ scores, churned }).value) < 3 * loss.standardError)
})

test('estimate - fine bins lose next to nothing', () => {
  const { scores } = calibrated(12, 20_000)
  const exact = estimate(
    scores,
    scores.map(() => 1),
    (score) => score,
  )
  const counts = Array.from({ length: 200 }, () => 0)
  for (const score of scores) {
    const bin = Math.min(199, Math.floor(score * 200))
    counts[bin] = (counts[bin] as number) + 1
  }
  const binned = estimate(
    counts.map((_, bin) => (bin + 0.5) / 200),
    counts,
    (score) => score,
  )
  assert.ok(Math.abs(exact.auc.value - binned.auc.value) < 2e-3)
})

test('createCalibration - never falls, goes through the pooled bins, stays a probability', () => {
  const calibrate = createCalibration([
    { count: 10, meanScore: 0.1, churnRate: 0.3 },
    { count: 30, meanScore: 0.3, churnRate: 0.2 },
    { count: 10, meanScore: 0.7, churnRate: 0.9 },
  ])
  let before = 0
  for (let score = 0; score <= 1; score += 0.01) {
    const rate = calibrate(score)
    assert.ok(rate >= before && rate <= 1, `${rate} at ${score}`)
    before = rate
  }
  assert.ok(Math.abs(calibrate(0.25) - 0.225) < 1e-12)
  assert.equal(calibrate(1), 1)
  assert.equal(createCalibration([])(0.37), 0.37)
})
