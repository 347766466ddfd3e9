// Do clock records stand where the clock would have told the time?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hours, hourMs } from './hours.ts'

const hoursOf = (events: Iterable<{ occurredAt: number }>): number[] =>
  [...events].map(({ occurredAt }) => occurredAt / hourMs)

test('Hours - each full hour once, before the first event that is later, and none at the end', () => {
  const hours = new Hours(0.5 * hourMs, 6 * hourMs)
  assert.deepEqual(hoursOf(hours.before(0.9 * hourMs)), [])
  assert.deepEqual(hoursOf(hours.before(2.5 * hourMs)), [1, 2])
  // An event of the very hour is told before the hour is.
  assert.deepEqual(hoursOf(hours.before(3 * hourMs)), [])
  assert.deepEqual(hoursOf(hours.before(3 * hourMs + 1)), [3])
  assert.deepEqual(hoursOf(hours.before(Infinity)), [4, 5])
  assert.deepEqual(hoursOf(hours.before(Infinity)), [])
})

test('Hours - with no event there is no time', () => {
  assert.deepEqual(hoursOf(new Hours(Infinity, 6 * hourMs).before(Infinity)), [])
})
