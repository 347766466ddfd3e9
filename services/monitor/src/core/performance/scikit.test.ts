// Are the figures those of scikit-learn and SciPy, to 1e-9? Runs the Python of the set-up.
import { findPython, venvPython } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { chiSquaredQuantile, chiSquaredTail } from '../statistics/chi-squared.ts'
import { normals, seeded } from '../testing.ts'
import { averagePrecision } from './average-precision.ts'
import { brierScore } from './brier.ts'
import { calibrationError } from './calibration-error.ts'
import { calibrationLine } from './calibration-line.ts'
import { liftAt } from './lift.ts'
import { logLoss } from './log-loss.ts'
import { rocAuc } from './roc-auc.ts'

type Figures = Readonly<Record<string, number>>

/** Scores that tell something, some of them equal, some at the very ends. */
function labelled(seed: number, rows: number, decimals: number, slope: number) {
  const [draw, normal] = [seeded(seed), normals(seed + 1)]
  const scores = Array.from({ length: rows }, () => {
    const score = 1 / (1 + Math.exp(-(normal() * 1.5 - 0.8)))
    return Math.round(score * 10 ** decimals) / 10 ** decimals
  })
  const churned = scores.map((score) => {
    const odds = Math.log((score + 1e-3) / (1 - score + 1e-3)) * slope
    return draw() < 1 / (1 + Math.exp(-odds)) ? 1 : 0
  })
  return [scores, churned] as const
}

const sets = [
  labelled(1, 997, 9, 1),
  labelled(2, 2_000, 2, 0.6),
  labelled(3, 101, 1, 1.4),
  labelled(4, 5_000, 9, 0.2),
]
const tails = [
  [0.5, 1],
  [3.84, 1],
  [27.877, 9],
  [9, 9],
  [2, 19],
  [150, 30],
  [400, 9],
] as const
const quantiles = [
  [0.001, 9],
  [0.05, 1],
  [0.5, 3],
  [0.999, 12],
  [1e-8, 4],
  [0.01, 200],
] as const

const near = (name: string, ours: number, theirs: number): void =>
  assert.ok(
    Math.abs(ours - theirs) <= 1e-9 * Math.max(1, Math.abs(theirs)),
    `${name}: ${ours} and ${theirs}`,
  )

test('performance - equal to scikit-learn and SciPy to 1e-9', async () => {
  const found = await findPython()
  assert.ok(found.python, 'the set-up has found a Python')
  const script = fileURLToPath(new URL('../../../python/reference_figures.py', import.meta.url))
  const input = JSON.stringify({ labelled: sets, tails, quantiles })
  const output = execFileSync(venvPython(found.version), [script], { input, encoding: 'utf8' })
  const expected = JSON.parse(output) as {
    figures: Figures[]
    tails: number[]
    quantiles: number[]
  }
  for (const [index, [scores, churned]] of sets.entries()) {
    const rows = { scores, churned }
    const { value: auc, standardError: aucError } = rocAuc(rows)
    const { slope, intercept } = calibrationLine(rows)
    const ours: Figures = {
      auc,
      aucError,
      averagePrecision: averagePrecision(rows),
      logLoss: logLoss(rows).value,
      brier: brierScore(rows).value,
      calibrationError: calibrationError(rows),
      slope: slope.value,
      intercept: intercept.value,
      lift: liftAt(0.1, rows),
    }
    for (const [name, theirs] of Object.entries(expected.figures[index] as Figures)) {
      near(`${name} of set ${index}`, ours[name] as number, theirs)
    }
  }
  for (const [index, [x, degrees]] of tails.entries()) {
    near(`tail ${x} of ${degrees}`, chiSquaredTail(x, degrees), expected.tails[index] as number)
  }
  for (const [index, [tail, degrees]] of quantiles.entries()) {
    const theirs = expected.quantiles[index] as number
    near(`quantile ${tail} of ${degrees}`, chiSquaredQuantile(tail, degrees), theirs)
  }
})
