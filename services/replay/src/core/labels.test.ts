// Do rows to learn from hold what was known at their instant, and nothing that came after?
import { PartitionState } from '@churnstream/features'
import { Oracle, activity, at, bet, histories } from '@churnstream/features/testing'
import { clockKind, type PlayerActivity } from '@churnstream/schemas'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DaySample,
  toCsvRow,
  trainingSetHeader,
  type LabelledVector,
  type SampleOptions,
} from './labels.ts'
import { emptyFolded, fold } from './step.ts'

const seed = 20_260_302
const dayMs = 86_400_000
const dayOf = (time: number): number => Math.floor(time / dayMs)

function rowsOf(
  inputs: readonly PlayerActivity[],
  options: SampleOptions = { seed: 1, share: 1 },
  playersPerClock = Infinity,
): LabelledVector[] {
  const state = new PartitionState({ playersPerClock })
  const sample = new DaySample(options, 0)
  const counts = emptyFolded()
  return inputs.flatMap((input, offset) => {
    const result = fold(state, { offset, input }, counts)
    return result === undefined ? [] : sample.add(result)
  })
}

/** What the obvious code makes of the inputs that come before each instant, and of no other. */
function expectedRow(
  inputs: readonly PlayerActivity[],
  { vector, churned }: LabelledVector,
  playersPerClock: number,
): void {
  const { playerId, asOf, trigger } = vector
  const day = dayOf(asOf)
  // Of the instants of that day at which the player was looked at, it must be one.
  const known = inputs.flatMap((input, index): object[] => {
    const isCause = trigger === 'clock' ? input.kind === clockKind : input.playerId === playerId
    if (!isCause) return []
    const oracle = new Oracle(playersPerClock)
    const before = inputs.slice(0, index + 1)
    const last = before.map((one) =>
      one.kind === clockKind ? oracle.onClock(one.occurredAt) : oracle.onActivity(one),
    )
    const result = last.at(-1)
    return typeof result === 'object'
      ? result.vectors.filter((one) => one.playerId === playerId)
      : []
  })
  assert.ok(
    known.some((one) => isSame(one, vector)),
    `${playerId} as of ${asOf} was never so`,
  )
  const bets = inputs
    .filter((one) => one.playerId === playerId && one.kind === 'bet_placed')
    .map(({ occurredAt }) => dayOf(occurredAt))
  if (!churned) assert.ok(bets.some((betDay) => betDay > day && betDay <= day + 28))
}

function isSame(a: object, b: object): boolean {
  try {
    assert.deepEqual(a, b)
    return true
  } catch {
    return false
  }
}

test('DaySample - a row is a vector of its day from what had come by then, and a bet retains it', () => {
  const seen = { rows: 0, churned: 0, retained: 0, clock: 0 }
  fc.assert(
    fc.property(histories(60), fc.constantFrom(1, Infinity), (inputs, limit) => {
      const rows = rowsOf(inputs, { seed: 1, share: 1 }, limit)
      const days = rows.map(({ vector }) => `${vector.playerId} ${dayOf(vector.asOf)}`)
      assert.equal(new Set(days).size, days.length, 'one row a player and day')
      for (const row of rows) {
        seen.rows++
        seen[row.churned ? 'churned' : 'retained']++
        if (row.vector.trigger === 'clock') seen.clock++
        expectedRow(inputs, row, limit)
      }
    }),
    { seed, numRuns: 60, endOnFailure: true },
  )
  assert.ok(
    Object.values(seen).every((count) => count > 20),
    JSON.stringify(seen),
  )
})

test('DaySample - what comes later changes no row that was told before', () => {
  fc.assert(
    fc.property(histories(80), fc.nat(79), (inputs, cut) => {
      const all = rowsOf(inputs)
      const some = rowsOf(inputs.slice(0, cut))
      assert.deepEqual(some, all.slice(0, some.length))
    }),
    { seed, numRuns: 100 },
  )
})

test('DaySample - each vector of a day has the same chance', () => {
  const bets = Array.from({ length: 4 }, (_, i) => bet(0.2 * i + 0.1, { stake: i + 1 }))
  const later = bet(3)
  const drawn = new Map<number, number>()
  for (let one = 0; one < 800; one++) {
    const [row] = rowsOf([...bets, later], { seed: one, share: 1 })
    const { bets_1d: count } = (row as LabelledVector).vector.features
    drawn.set(count as number, (drawn.get(count as number) ?? 0) + 1)
  }
  for (const count of [1, 2, 3, 4]) {
    const share = (drawn.get(count) ?? 0) / 800
    assert.ok(Math.abs(share - 0.25) < 0.05, `${count} bets: ${share}`)
  }
})

test('DaySample - a share keeps that part of the player-days, the same ones each time', () => {
  const inputs = Array.from({ length: 3_000 }, (_, i) =>
    bet(i % 40, { playerId: `player-${Math.floor(i / 40)}` }),
  )
  const half = rowsOf(inputs, { seed: 5, share: 0.5 })
  const all = rowsOf(inputs, { seed: 5, share: 1 })
  assert.ok(Math.abs(half.length / all.length - 0.5) < 0.05, `${half.length} of ${all.length}`)
  assert.deepEqual(half, rowsOf(inputs, { seed: 5, share: 0.5 }))
})

test('DaySample - rows before the instant that is asked for are left out, later ones stay as they are', () => {
  const inputs = Array.from({ length: 40 }, (_, i) => bet(i + 0.5))
  const all = rowsOf(inputs)
  const later = rowsOf(inputs, { seed: 1, share: 1, fromAt: at(20) })
  assert.deepEqual(
    later,
    all.filter(({ vector }) => vector.asOf >= at(20)),
  )
  assert.ok(later.length > 10 && later.length < all.length)
})

test('toCsvRow - a field that holds a comma or a quote is quoted, null is empty', () => {
  const inputs = [
    activity('signup', 0, { playerId: 'a,"b"', acquisitionSource: 'paid, social' }),
    bet(1, { playerId: 'a,"b"' }),
  ]
  const [row] = rowsOf(inputs)
  const text = toCsvRow(row as LabelledVector)
  assert.ok(text.startsWith(`"a,""b""",${at(0)},,,,0,`), text)
  assert.ok(text.endsWith(',us-nj,"paid, social",,0'), text)
  const commas = text.replaceAll(/"(?:[^"]|"")*"/g, '').split(',').length
  assert.equal(commas, trainingSetHeader.split(',').length)
})
