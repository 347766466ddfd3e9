// Does the guard trip when it should, and only then?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Guard } from './guard.ts'
import { ScoreHistogram, stabilityIndex } from './histogram.ts'

const settings = {
  windowMs: 1_000,
  maxErrorShare: 0.01,
  maxMicrosecondsPerRow: 100,
  maxScoreShift: 0.5,
  minRows: 100,
}
const spread = (from: number, to: number, count = 200) =>
  Array.from({ length: count }, (_, index) => from + ((to - from) * index) / count)

test('Guard - a version that scores as the one before is left alone', () => {
  const guard = new Guard(settings, 0)
  guard.scored(1_000, 20_000)
  guard.compared(spread(0, 0.9), spread(0.02, 0.92))
  assert.equal(guard.judge(500), undefined)
  assert.equal(guard.stood(999), false)
  assert.equal(guard.stood(1_000), true)
})

test('Guard - scores that moved, rows that fail and rows that cost too much trip it', () => {
  const shifted = new Guard(settings, 0)
  shifted.compared(spread(0.9, 1), spread(0, 0.5))
  assert.equal(shifted.judge(1)?.reason, 'guard-scores')

  const failing = new Guard(settings, 0)
  failing.scored(950, 100)
  failing.failed(50)
  assert.equal(failing.judge(1)?.reason, 'guard-errors')

  const slow = new Guard(settings, 0)
  slow.scored(100, 20_000)
  assert.equal(slow.judge(1)?.reason, 'guard-latency')
})

test('Guard - a small batch that fails again and again is enough', () => {
  const guard = new Guard(settings, 0)
  for (const expected of [undefined, undefined, 'guard-errors']) {
    guard.failed(2)
    assert.equal(guard.judge(1)?.reason, expected)
  }
})

test('Guard - few rows, a closed window and an earlier breach say nothing', () => {
  const guard = new Guard(settings, 0)
  guard.compared(spread(0.9, 1, 99), spread(0, 0.5, 99))
  assert.equal(guard.judge(1), undefined)
  guard.compared([1], [0])
  assert.equal(guard.judge(1_000), undefined)
  assert.equal(guard.judge(999)?.reason, 'guard-scores')
  assert.equal(guard.judge(999), undefined)
  assert.equal(guard.stood(2_000), false)
})

test('stabilityIndex - zero for equal spreads, symmetric, and finite for disjoint ones', () => {
  const [a, b] = [new ScoreHistogram(), new ScoreHistogram()]
  for (const score of spread(0, 0.3)) a.add(score)
  for (const score of spread(0.6, 1)) b.add(score)
  assert.equal(stabilityIndex(a, a), 0)
  assert.equal(stabilityIndex(a, b), stabilityIndex(b, a))
  assert.ok(stabilityIndex(a, b) > 1 && Number.isFinite(stabilityIndex(a, b)))
})
