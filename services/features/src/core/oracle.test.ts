// Does the fast code say what the obvious code says, whatever comes?
import { clockKind, type PlayerActivity } from '@churnstream/schemas'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { histories } from './histories.ts'
import { Oracle } from './oracle.ts'
import { PartitionState } from './partition.ts'
import { dayMs } from './block.ts'

const seed = 20_260_101
const limits = fc.constantFrom(1, 2, 3, Infinity)

test('PartitionState - vectors and labels are those of a plain look at all events', () => {
  const seen = { duplicate: 0, 'too-late': 0, activity: 0, clock: 0, churned: 0, retained: 0 }
  const passedBy = { clocks: 0, restarts: 0 }
  const histories150 = histories(150)
  const restartsAt = fc.array(fc.nat(149))
  const checked = fc.property(histories150, restartsAt, limits, (inputs, restarts, limit) => {
    const oracle = new Oracle(limit)
    let state = new PartitionState({ playersPerClock: limit })
    let newestClockAt = -Infinity
    for (const [offset, input] of inputs.entries()) {
      const isClock = input.kind === clockKind
      const found = isClock
        ? state.onClock(input.occurredAt, offset)
        : state.onActivity(input, offset)
      const expected = isClock ? oracle.onClock(input.occurredAt) : oracle.onActivity(input)
      assert.deepEqual(found, expected, `input ${offset}`)
      if (isClock) newestClockAt = Math.max(newestClockAt, input.occurredAt)
      if (isClock && oracle.dueBy(input.occurredAt) > 0) passedBy.clocks++
      if (typeof found === 'string') seen[found]++
      else {
        for (const { trigger } of found.vectors) seen[trigger]++
        for (const { churned } of found.outcomes) seen[churned ? 'churned' : 'retained']++
      }
      if (!restarts.includes(offset)) continue
      if (limit < Infinity && oracle.dueBy(newestClockAt) > 0) passedBy.restarts++
      state = restarted(state, inputs, limit)
    }
  })
  fc.assert(checked, { seed, numRuns: 400 })
  assert.ok(
    Object.values(seen).every((count) => count > 500),
    JSON.stringify(seen),
  )
  assert.ok(passedBy.clocks > 200 && passedBy.restarts > 50, JSON.stringify(passedBy))
})

test('looksAt - says what a plain look at the events before an instant says, and changes nothing', () => {
  const seen = { looks: 0, silent: 0 }
  const checked = fc.property(histories(100), fc.integer({ min: 0, max: 40 }), (inputs, daysOn) => {
    const newestAt = Math.max(...inputs.map(({ occurredAt }) => occurredAt))
    const asOf = newestAt + daysOn * dayMs + 1
    const oracle = new Oracle()
    const state = new PartitionState()
    const untouched = new PartitionState()
    const fold = (of: PartitionState, input: PlayerActivity, offset: number) =>
      input.kind === clockKind ? of.onClock(input.occurredAt, offset) : of.onActivity(input, offset)
    for (const [offset, input] of inputs.entries()) {
      fold(state, input, offset)
      fold(untouched, input, offset)
      if (input.kind === clockKind) oracle.onClock(input.occurredAt)
      else oracle.onActivity(input)
      // A look in between must leave no trace.
      if (offset % 7 === 0) for (const _ of state.looksAt(asOf, 0)) seen.looks++
    }
    const seenSinceAt = asOf - 20 * dayMs
    const looks = [...state.looksAt(asOf, seenSinceAt)]
    const expected = oracle.looksAt(asOf)
    assert.deepEqual(
      looks,
      expected.filter(({ lastSeenAt }) => lastSeenAt >= seenSinceAt),
    )
    seen.silent += expected.length - looks.length
    for (const { playerId } of expected) {
      assert.deepEqual(state.snapshot(playerId), untouched.snapshot(playerId))
    }
    const clockAt = asOf + 35 * dayMs
    assert.deepEqual(state.onClock(clockAt, 1_000), untouched.onClock(clockAt, 1_000))
  })
  fc.assert(checked, { seed, numRuns: 200 })
  assert.ok(seen.looks > 500 && seen.silent > 20, JSON.stringify(seen))
})

/** What is left of a partition when its process ends: a snapshot of each player. */
function restarted(
  state: PartitionState,
  inputs: readonly { playerId: string }[],
  playersPerClock: number,
): PartitionState {
  const next = new PartitionState({ playersPerClock })
  for (const playerId of new Set(inputs.map((input) => input.playerId))) {
    const snapshot = state.snapshot(playerId)
    if (snapshot !== undefined) next.load(structuredClone(snapshot))
  }
  return next
}
