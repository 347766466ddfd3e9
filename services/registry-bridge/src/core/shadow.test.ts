// Are the sums of replicas added up once each?
import type { LoadReport } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addReport, figuresOf, trialKey, type Trial } from './shadow.ts'

function reportAt(reportedAt: number, rows: number, changes: Partial<LoadReport> = {}): LoadReport {
  const sums = {
    rows,
    sameBand: rows * 0.75,
    sumDifference: rows * -0.125,
    sumAbsoluteDifference: rows * 0.25,
    shadowMicroseconds: rows * 20,
    championMicroseconds: rows * 10,
    skippedRows: 2,
  }
  return {
    modelName: 'churn-gb',
    alias: 'challenger',
    replica: 'a',
    scorerVersion: '0.1.0',
    reportedAt,
    loadedVersion: '8',
    loadedEpoch: 4,
    loadedAt: 100,
    verdictVersion: '8',
    verdictEpoch: 4,
    verdict: 'accepted',
    reason: '',
    detail: '',
    verdictAt: 100,
    verdictFigures: [],
    shadowFigures: Object.entries(sums).map(([name, value]) => ({ name, value })),
    ...changes,
  }
}
const added = (...reports: LoadReport[]): Trial | undefined =>
  reports.reduce<Trial | undefined>(addReport, undefined)
const figures = (...reports: LoadReport[]) => {
  const trial = added(...reports)
  return trial === undefined ? undefined : figuresOf(trial)
}

test('figuresOf - per row over all replicas, the newest report of each', () => {
  const found = figures(
    reportAt(1_000, 8),
    reportAt(2_000, 24),
    reportAt(1_500, 8, { replica: 'b', loadedAt: 90 }),
  )
  assert.deepEqual(found, {
    epoch: 4,
    rows: 32,
    skippedRows: 4,
    agreement: 0.75,
    scoreShift: -0.125,
    meanAbsoluteDifference: 0.25,
    shadowMicrosecondsPerRow: 20,
    championMicrosecondsPerRow: 10,
    updatedAt: 2_000,
  })
})

test('figuresOf - a replica that loads the challenger again adds to what it had', () => {
  assert.equal(figures(reportAt(1_000, 100), reportAt(2_000, 5, { loadedAt: 1_900 }))?.rows, 105)
})

test('figuresOf - nothing before the first row, and nothing that is no number', () => {
  assert.equal(figures(reportAt(1_000, 0)), undefined)
  assert.equal(figures(reportAt(1_000, Number.NaN)), undefined)
  assert.equal(
    figures(
      reportAt(1_000, 1, {
        shadowFigures: [
          { name: 'rows', value: 1 },
          { name: 'sumDifference', value: Infinity },
        ],
      }),
    ),
    undefined,
  )
})

test('addReport - only of a challenger that is loaded', () => {
  assert.equal(added(reportAt(1_000, 8, { alias: 'champion' })), undefined)
  assert.equal(added(reportAt(1_000, 8, { loadedVersion: null })), undefined)
  assert.equal(added(reportAt(1_000, 8, { shadowFigures: [] })), undefined)
})

test('trialKey - another epoch is another trial', () => {
  assert.notEqual(trialKey(reportAt(1, 1)), trialKey(reportAt(1, 1, { loadedEpoch: 5 })))
})
