// Do the windows of a version become metrics that a data scientist can plot?
import type { MonitoringWindow } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toMetrics } from './monitored.ts'

const statistic = (name: string, subject: string, value: number, state = 'ok') => ({
  name,
  subject,
  value,
  low: null,
  high: null,
  threshold: null,
  state,
})
const window: MonitoringWindow = {
  modelName: 'churn-default',
  modelVersion: '1',
  role: 'champion',
  market: '*',
  segment: '*',
  kind: 'performance',
  fromDay: 20_000,
  toDay: 20_006,
  rows: 1_200,
  state: 'ok',
  isConfirmed: false,
  statistics: [statistic('auc', '', 0.8), statistic('calibration-slope', '', NaN)],
}

test('toMetrics - performance by name, at the end of the window, without what is no number', () => {
  assert.deepEqual(toMetrics(window), {
    metrics: { monitor_auc: 0.8, monitor_performance_rows: 1_200 },
    step: 20_006,
    atMs: 20_007 * 86_400_000,
  })
})

test('toMetrics - of drift the worst feature, how many alarm, and the score', () => {
  const statistics = [
    statistic('psi', 'bets_7d', 0.3, 'alarm'),
    statistic('psi', 'odds', 0.01),
    statistic('w1', 'bets_7d', 9),
    statistic('psi', 'score', 0.05),
  ]
  assert.deepEqual(toMetrics({ ...window, kind: 'drift', statistics })?.metrics, {
    monitor_drift_max_psi: 0.3,
    monitor_drifted_features: 1,
    monitor_score_psi: 0.05,
    monitor_drift_rows: 1_200,
  })
})

test('toMetrics - a part of the players, a quality window and an empty one are left out', () => {
  for (const change of [
    { market: 'gb' },
    { segment: 'active-7d' },
    { kind: 'quality' },
    { statistics: [] },
  ]) {
    assert.equal(toMetrics({ ...window, ...change }), undefined)
  }
})
