// Is a new version asked for when it should be, and held back when it must be?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  guardOf,
  isConfirmed,
  newModel,
  proposalByTime,
  proposalOf,
  usualPolicySettings as settings,
  withAlarm,
  withVersion,
  type Found,
  type ModelMemory,
} from './policy.ts'
import type { Figure } from './performance-of.ts'

const enough: ModelMemory = { ...newModel('1', 100), labels: 5_000, churned: 900 }
const figure = (name: string, subject = ''): Figure => ({
  name,
  subject,
  value: 0.7,
  low: 0.68,
  high: 0.72,
  threshold: 0.74,
  state: 'alarm',
})
const found = (kind: Found['kind'], figures: Figure[]): Found => ({
  kind,
  fromDay: 140,
  toDay: 146,
  figures,
})
const alarmed = (...subjects: string[]): ModelMemory =>
  subjects.reduce(
    (memory, subject) => withAlarm(withAlarm(memory, subject, true), subject, true),
    enough,
  )

test('isConfirmed - two of three, so that one window is not enough and one good one forgives none', () => {
  assert.deepEqual(
    [[true], [true, false], [true, false, true], [true, true], [false, false, true]].map(
      isConfirmed,
    ),
    [false, false, true, true, false],
  )
})

test('withAlarm - looks back at three windows', () => {
  let memory = enough
  for (const alarm of [true, true, false, false]) memory = withAlarm(memory, 'auc', alarm)
  assert.deepEqual(memory.alarms['auc'], [true, false, false])
})

test('proposalOf - what fell comes before what is off, with its figures as evidence', () => {
  const both = found('performance', [figure('auc'), figure('log-loss')])
  const fell = proposalOf(alarmed('auc', 'log-loss'), both, [], settings)
  assert.equal(fell?.reason, 'performance-fell')
  assert.deepEqual(fell?.evidence, {
    fromDay: '1970-05-21',
    toDay: '1970-05-27',
    figures: [{ name: 'auc', value: 0.7, low: 0.68, high: 0.72, threshold: 0.74 }],
  })
  const off = proposalOf(alarmed('log-loss'), both, [], settings)
  assert.deepEqual([off?.reason, off?.evidence['tryFirst']], ['calibration-off', 'recalibrate'])
  assert.equal(proposalOf(enough, both, [], settings), undefined)
})

test('proposalOf - drift of what weighs three tenths, or of the score, and an estimate that moved', () => {
  const features = Array.from({ length: 10 }, (_, i) => ({
    name: `f${i}`,
    importance: i === 9 ? 0.4 : i < 3 ? 0.1 : 0.05,
  }))
  const window = found(
    'drift',
    [...features.map(({ name }) => name), 'score'].map((subject) => figure('psi', subject)),
  )
  const reason = (...subjects: string[]) =>
    proposalOf(alarmed(...subjects.map((subject) => `psi ${subject}`)), window, features, settings)
      ?.reason
  assert.equal(reason('f0', 'f1'), undefined)
  assert.equal(reason('f0', 'f1', 'f2'), 'inputs-drifted')
  assert.equal(reason('f9'), 'inputs-drifted')
  assert.equal(reason('f3', 'f4', 'f5', 'f6', 'f7'), undefined)
  assert.equal(reason('score'), 'scores-drifted')
  const estimate = found('estimate', [figure('estimated-auc')])
  assert.equal(
    proposalOf(alarmed('estimated-auc'), estimate, features, settings)?.reason,
    'estimate-fell',
  )
})

test('proposalByTime - the calendar counts from the last request, else from when the version came', () => {
  assert.equal(proposalByTime(enough, 129, settings), undefined)
  assert.equal(proposalByTime(enough, 130, settings)?.reason, 'calendar')
  assert.equal(proposalByTime({ ...enough, requestedOn: 120 }, 149, settings), undefined)
  assert.equal(proposalByTime(enough, 9_999, { ...settings, calendarDays: null }), undefined)
  const greedy = { ...settings, enoughLabels: 4_000 }
  assert.equal(proposalByTime(enough, 101, greedy)?.reason, 'enough-labels')
  assert.equal(proposalByTime({ ...enough, labelsAtRequest: 2_000 }, 101, greedy), undefined)
})

test('guardOf - a broken feed first, then the cooldown, then labels', () => {
  const window = { fromDay: 140, toDay: 146 }
  const few = { ...enough, churned: 199 }
  const cooling = { ...few, cooldownUntilDay: 181 }
  assert.equal(guardOf(enough, 180, window, settings), undefined)
  assert.equal(guardOf(few, 180, window, settings), 'too-few-labels')
  assert.equal(guardOf(cooling, 180, window, settings), 'cooldown')
  assert.equal(guardOf({ ...cooling, brokenDays: [146] }, 180, window, settings), 'broken-feed')
  assert.equal(guardOf({ ...cooling, brokenDays: [174] }, 180, window, settings), 'broken-feed')
  assert.equal(guardOf({ ...enough, brokenDays: [150] }, 180, window, settings), undefined)
})

test('withVersion - another version starts without the alarms of the one before, in the same cooldown', () => {
  const before = { ...alarmed('auc'), cooldownUntilDay: 200 }
  const after = withVersion(before, '2', 150)
  assert.deepEqual([after.alarms, after.servingSince, after.cooldownUntilDay], [{}, 150, 200])
  assert.equal(withVersion(before, '1', 150), before)
})
