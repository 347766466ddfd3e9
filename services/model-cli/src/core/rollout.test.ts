import type { LoadReport } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveMs, replicaStates, toOutcome, type Goal } from './rollout.ts'

const nowMs = 1_800_000_000_000
const goal: Goal = { modelName: 'churn-gb', alias: 'champion', modelVersion: '7', epoch: 12 }

const report = (replica: string, change: Partial<LoadReport> = {}): LoadReport => ({
  modelName: 'churn-gb',
  alias: 'champion',
  replica,
  scorerVersion: '0.1.0',
  reportedAt: nowMs - 1_000,
  loadedVersion: '6',
  loadedEpoch: 11,
  loadedAt: nowMs - 60_000,
  verdictVersion: '6',
  verdictEpoch: 11,
  verdict: 'accepted',
  reason: '',
  detail: '',
  verdictAt: nowMs - 60_000,
  verdictFigures: [],
  shadowFigures: [],
  ...change,
})
const loaded = { loadedVersion: '7', loadedEpoch: 12, verdictVersion: '7', verdictEpoch: 12 }
const refused = {
  verdictVersion: '7',
  verdictEpoch: 12,
  verdict: 'refused',
  reason: 'too-slow',
  detail: '900 µs a row',
}

const outcome = (reports: LoadReport[], now = nowMs) =>
  toOutcome(goal, replicaStates(reports, goal, now), 900)

test('toOutcome - good once every live replica has loaded the epoch', () => {
  const half = outcome([report('a', loaded), report('b')])
  assert.deepEqual([half.isDone, half.isGood], [false, false])
  assert.match(half.text, /no answer after 0\.9 s from b/)
  const whole = outcome([report('a', loaded), report('b', loaded)])
  assert.deepEqual([whole.isDone, whole.isGood], [true, true])
  assert.equal(whole.text, 'version 7 of churn-gb serves on 2 of 2 replicas after 0.9 s')
})

test('toOutcome - a replica that refuses is named with its reason and what goes on there', () => {
  const { isDone, isGood, text } = outcome([report('a', loaded), report('b', refused)])
  assert.deepEqual([isDone, isGood], [true, false])
  assert.match(
    text,
    /refused as champion by 1 of 2 replicas\n {2}b: too-slow: 900 µs a row; version 6 goes on/,
  )
})

test('toOutcome - a version loaded and then unhealthy is no success', () => {
  const { isGood } = outcome([
    report('a', { ...loaded, verdict: 'unhealthy', reason: 'guard-scores' }),
  ])
  assert.equal(isGood, false)
})

test('toOutcome - a later version ends the waiting', () => {
  const { isDone, isGood, text } = outcome([report('a', { loadedVersion: '8', loadedEpoch: 13 })])
  assert.deepEqual([isDone, isGood], [true, false])
  assert.match(text, /another version came after version 7/)
})

test('replicaStates - a silent replica is not waited for, one that knows only other models is', () => {
  const silent = report('a', { reportedAt: nowMs - liveMs - 1 })
  assert.deepEqual(replicaStates([silent], goal, nowMs), [])
  assert.match(outcome([silent]).text, /no scorer replica has reported/)
  assert.equal(outcome([silent]).isDone, false)
  const elsewhere = report('b', { modelName: 'churn-default' })
  assert.deepEqual(replicaStates([elsewhere], goal, nowMs), [{ replica: 'b', state: 'waiting' }])
})
