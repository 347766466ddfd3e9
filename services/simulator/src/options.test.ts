// Is the command line read right, or refused with every problem?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayMs } from './core/player.ts'
import { pace, parseOptions } from './options.ts'

const nowMs = Date.UTC(2026, 5, 15, 13)

test('parseOptions - a stream to an ingestion ends today unless told', () => {
  const options = parseOptions(['--url', 'http://127.0.0.1:8080', '--rate', '50'], nowMs)
  assert.ok(options.command === 'drive')
  assert.equal(options.startAt + options.days * dayMs, Date.UTC(2026, 5, 15))
  assert.equal(options.ratePerSecond, 50)
  assert.equal(options.seed, 1)
})

test('parseOptions - refuses with every problem at once', () => {
  const args = ['--rate', 'fast', '--players', '0.5', '--start', 'soon']
  assert.throws(
    () => parseOptions(args, nowMs),
    (error: Error) => error.message.split('\n').length === 4 && /--url/.test(error.message),
  )
  assert.throws(
    () =>
      parseOptions(
        ['--url', 'http://x', '--rate', '1', '--players', '1', '--days-per-minute', '1'],
        nowMs,
      ),
    /two give the third/,
  )
})

test('pace - any two of rate, players and speed give the third', () => {
  const whole = pace({ ratePerSecond: 100, players: 1000 }, 0.6)
  assert.equal(whole.daysPerMinute, 10)
  assert.deepEqual(pace({ players: 1000, daysPerMinute: 10 }, 0.6), whole)
  assert.deepEqual(pace({ ratePerSecond: 100, daysPerMinute: 10 }, 0.6), whole)
})
