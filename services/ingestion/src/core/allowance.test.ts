// Is a player's share bounded, whatever it sends, and nobody else's?
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Allowance } from './allowance.ts'

const settings = { eventsPerSecond: 10, burstEvents: 20 }

test('Allowance - within any time a player gets a burst and its rate, and never more', () => {
  const attempts = fc.array(fc.record({ laterMs: fc.nat(400), events: fc.nat(40) }), {
    maxLength: 50,
  })
  const property = fc.property(attempts, (steps) => {
    const allowance = new Allowance(settings)
    const takenAt: number[] = []
    let now = 0
    for (const { laterMs, events } of steps) {
      now += laterMs
      let ahead = 0
      for (let i = 0; i < events; i++) {
        if (allowance.take('ada', ahead, now) === undefined) takenAt.push(now)
        else ahead++
      }
    }
    for (const from of takenAt) {
      for (const to of takenAt) {
        if (to < from) continue
        const taken = takenAt.filter((at) => at >= from && at <= to).length
        const most = settings.burstEvents + ((to - from) / 1000) * settings.eventsPerSecond
        assert.ok(taken <= most + 1e-6, `${taken} taken within ${to - from} ms`)
      }
    }
  })
  fc.assert(property, { seed: 20_260_103, numRuns: 300 })
})

test('Allowance - who waits as long as told gets through, in order', () => {
  const allowance = new Allowance(settings)
  let now = 0
  let waiting = 35
  while (waiting > 0) {
    let ahead = 0
    let waitMs = 0
    for (let i = 0; i < waiting; i++) {
      const wait = allowance.take('ada', ahead, now)
      if (wait === undefined) assert.equal(ahead, 0, 'none overtakes one that waits')
      else [ahead, waitMs] = [ahead + 1, wait]
    }
    assert.ok(ahead < waiting, 'the wait was long enough for something')
    waiting = ahead
    now += waitMs
  }
  assert.ok(now <= 1_500 + 1, `35 events took ${now} ms`)
})

test('Allowance - one player takes nothing from another', () => {
  const allowance = new Allowance(settings)
  for (let i = 0; i < 100; i++) allowance.take('ada', 0, 0)
  assert.equal(allowance.take('bo', 0, 0), undefined)
})

test('Allowance - a rate of 0 is no bound', () => {
  const allowance = new Allowance({ eventsPerSecond: 0, burstEvents: 1 })
  for (let i = 0; i < 100; i++) assert.equal(allowance.take('ada', 0, 0), undefined)
})

test('Allowance - players of long ago are forgotten', () => {
  const allowance = new Allowance(settings)
  for (let i = 0; i < 50_000; i++) allowance.take(`player-${i}`, 0, i)
  assert.ok(allowance.size < 15_000, `${allowance.size} remembered`)
})
