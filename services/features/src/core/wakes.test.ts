// Is who wakes told by times and names alone, whatever came before?
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Wakes } from './wakes.ts'

const seed = 20_260_103

test('take - those who have waited longest, then by name, as a plain sort says', () => {
  const step = fc.record({
    slot: fc.nat(40),
    // Few times: many wake at the same instant.
    at: fc.oneof({ weight: 9, arbitrary: fc.nat(30) }, fc.constant(Infinity)),
    what: fc.constantFrom('set', 'set', 'set', 'set', 'forget', 'take'),
    most: fc.constantFrom(1, 2, 5, Infinity),
    name: fc.nat(1_000),
  })
  const seen = { taken: 0, left: 0, tied: 0 }
  const checked = fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
    const names = new Map<number, number>()
    const order = (slot: number): number => (names.get(slot) as number) * 100 + slot
    const wakes = new Wakes((slot, other) => order(slot) < order(other))
    const expected = new Map<number, number>()
    for (const { slot, at, what, most, name } of steps) {
      if (what === 'set') {
        // Nobody's: it is given to somebody with another name.
        if (!expected.has(slot)) names.set(slot, name)
        wakes.set(slot, at)
        if (at === Infinity) expected.delete(slot)
        else expected.set(slot, at)
      } else if (what === 'forget') {
        wakes.forget(slot)
        expected.delete(slot)
      } else {
        const due = [...expected].filter(([, wakesAt]) => wakesAt <= at)
        due.sort(([a, aAt], [b, bAt]) => aAt - bAt || order(a) - order(b))
        const first = due.slice(0, most)
        assert.deepEqual(
          wakes.take(at, most),
          first.map(([taken]) => taken),
        )
        for (const [taken] of first) expected.delete(taken)
        seen.taken += first.length
        seen.left += due.length - first.length
        if (due[0]?.[1] === due[1]?.[1]) seen.tied++
      }
    }
  })
  fc.assert(checked, { seed, numRuns: 500 })
  assert.ok(
    Object.values(seen).every((count) => count > 500),
    JSON.stringify(seen),
  )
})
