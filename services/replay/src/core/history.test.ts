// Is a range refused exactly where retention has taken what it needs?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cutHistory, historyProblem } from './history.ts'

const dayMs = 86_400_000
const whole = { partition: 0, first: 0, reachedAt: undefined }
const cut = cutHistory([whole, { partition: 1, first: 900, reachedAt: 100 * dayMs }])
const problemOf = (days: number, acceptCut = false) =>
  historyProblem('activity', cut, days * dayMs, acceptCut)

test('historyProblem - a topic that holds all can give any range', () => {
  const none = cutHistory([whole, { partition: 1, first: 0, reachedAt: undefined }])
  assert.equal(historyProblem('activity', none, -Infinity, false), undefined)
})

test('historyProblem - windows that reach behind the cut are refused, and the earliest start told', () => {
  for (const acceptCut of [true, false]) {
    const problem = problemOf(129.9, acceptCut) ?? ''
    assert.match(problem, /partitions 1\)/)
    assert.match(problem, /earliest start is 1970-05-11T00:00:00.000Z/)
  }
})

test('historyProblem - where the windows are whole, a lost beginning must be accepted', () => {
  assert.match(problemOf(130) ?? '', /tenure_days.*--accept-cut-history/)
  assert.equal(problemOf(130, true), undefined)
})

test('historyProblem - where nothing is left there is nothing to accept', () => {
  const nothing = cutHistory([{ partition: 0, first: 5, reachedAt: undefined }])
  assert.match(historyProblem('activity', nothing, 1e15, true) ?? '', /nothing is left/)
})
