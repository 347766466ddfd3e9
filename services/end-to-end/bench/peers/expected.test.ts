import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Check, expectedOf } from './expected.ts'

/** Two partitions; no record stands at offset 1 of the first. */
const expected = expectedOf([[0, 2], [0]], Float32Array.of(0.25, 0.5, 0.875))
const low = { score: 0.25, band: 'low' }
const watch = { score: 0.5, band: 'watch' }
const critical = { score: 0.875, band: 'critical' }

test('Check - accepts each right score once', () => {
  const check = new Check(expected)
  check.take(0, 2, watch)
  check.take(0, 0, low)
  assert.throws(() => check.assertComplete(), /2 of 3 inputs/)
  check.take(1, 0, { ...critical, score: 0.875 + 1e-7 })
  check.assertComplete()
})

test('Check - refuses a score that is wrong, of no input, of another band, or there already', () => {
  const check = new Check(expected)
  assert.throws(() => check.take(0, 0, watch), /XGBoost says 0.25/)
  assert.throws(() => check.take(0, 1, low), /says NaN/)
  assert.throws(() => check.take(2, 0, low), /says NaN/)
  assert.throws(() => check.take(0, 0, { ...low, score: Number.NaN }), /score NaN/)
  assert.throws(() => check.take(0, 0, { ...low, band: 'watch' }), /is watch/)
  check.take(0, 0, low)
  assert.throws(() => check.take(0, 0, low), /twice/)
})
