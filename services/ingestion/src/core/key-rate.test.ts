// Does a key get its share, and no more?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyRates } from './key-rate.ts'

const rate = { eventsPerSecond: 100, burstEvents: 500 }

test('KeyRates - what a request overdraws is waited for', () => {
  const rates = new KeyRates()
  assert.equal(rates.wait('a', rate, 0), 0)
  rates.charge('a', rate, 700, 0)
  assert.equal(rates.wait('a', rate, 0), 2_010)
  assert.equal(rates.wait('a', rate, 2_000), 10)
  assert.equal(rates.wait('a', rate, 2_010), 0)
})

test('KeyRates - one key does not spend what another has, and idleness saves no more than a burst', () => {
  const rates = new KeyRates()
  rates.charge('a', rate, 500, 0)
  assert.ok(rates.wait('a', rate, 0) > 0)
  assert.equal(rates.wait('b', rate, 0), 0)
  assert.equal(rates.wait('a', rate, 3_600_000), 0)
  rates.charge('a', rate, 500, 3_600_000)
  assert.ok(rates.wait('a', rate, 3_600_000) > 0)
})

test('KeyRates - over any time a key gets its rate, its burst and the rest of one request', () => {
  const rates = new KeyRates()
  let taken = 0
  const seconds = 60
  for (let now = 0; now <= seconds * 1000; now += 7) {
    if (rates.wait('a', rate, now) > 0) continue
    rates.charge('a', rate, 1_000, now)
    taken += 1_000
  }
  assert.ok(taken <= 500 + seconds * 100 + 1_000, String(taken))
  assert.ok(taken >= seconds * 100, String(taken))
})
