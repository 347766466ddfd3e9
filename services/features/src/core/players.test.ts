// Is a player the same at rest as at work, and does each have what is theirs alone?
import { clockKind } from '@churnstream/schemas'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chunks, noChunk } from './chunks.ts'
import { histories } from './histories.ts'
import { PartitionState } from './partition.ts'
import { Players } from './players.ts'
import { dayOf } from './block.ts'
import { activity, at, bet, day0 } from './testing.ts'

const seed = 20_260_101

test('Chunks - every chunk is in use or free, and nobody writes over somebody else', () => {
  const step = fc.record({
    who: fc.nat(9),
    // Now and then nothing: the chain is given back.
    count: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 70 }) }, fc.constant(0)),
  })
  let reused = 0
  const checked = fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
    const chunks = new Chunks()
    const wanted = new Map<number, { first: number; words: number[] }>()
    for (const [index, { who, count }] of steps.entries()) {
      const first = wanted.get(who)?.first ?? noChunk
      const before = chunks.counts
      if (count === 0) {
        chunks.free(first)
        wanted.delete(who)
      } else {
        const words = Array.from({ length: count }, (_, i) => (index + 1) * 1_000 + i)
        const written = chunks.write(first, Int32Array.from(words), count)
        wanted.set(who, { first: written, words })
      }
      if (chunks.counts.free < before.free) reused++
      let inUse = 0
      for (const { first: of, words } of wanted.values()) {
        const found = new Int32Array(100)
        chunks.read(of, found)
        assert.deepEqual([...found.subarray(0, words.length)], words)
        inUse += Math.ceil(words.length / 15)
      }
      assert.equal(inUse + chunks.counts.free, chunks.counts.made)
    }
  })
  fc.assert(checked, { seed, numRuns: 300 })
  assert.ok(reused > 500, String(reused))
})

test('Chunks - nothing is left in what was given back', () => {
  const chunks = new Chunks()
  const first = chunks.write(noChunk, new Int32Array(40).fill(7), 40)
  chunks.free(first)
  const again = chunks.write(noChunk, new Int32Array(1), 1)
  const found = new Int32Array(45)
  chunks.read(again, found)
  assert.ok(found.every((word) => word === 0))
  assert.deepEqual(chunks.counts, { made: 3, free: 2 })
})

test('Players - one who goes to rest between any two records stays the same', () => {
  let erasures = 0
  const limits = fc.constantFrom(2, Infinity)
  const erasingAt = fc.array(fc.nat(119))
  const checked = fc.property(histories(120), erasingAt, limits, (inputs, erasing, limit) => {
    // One place: whoever comes to work sends the one before to rest.
    const resting = new PartitionState({ places: 1, playersPerClock: limit })
    const awake = new PartitionState({ playersPerClock: limit })
    for (const [offset, input] of inputs.entries()) {
      const [found, expected] = [resting, awake].map((state) => {
        if (erasing.includes(offset)) return state.erase(input.playerId, offset, offset)
        return input.kind === clockKind
          ? state.onClock(input.occurredAt, offset)
          : state.onActivity(input, offset)
      })
      if (erasing.includes(offset)) erasures++
      assert.deepEqual(found, expected)
      assert.deepEqual(resting.takeChanges(), awake.takeChanges())
    }
  })
  fc.assert(checked, { seed, numRuns: 150 })
  assert.ok(erasures > 100, String(erasures))
})

test('Players - days of any size and number rest exactly', () => {
  const newestDay = dayOf(day0)
  const count = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1))
  const edges = [0, 15, 16, 63, 64, 255, 256, 2 ** 24 - 1, 2 ** 24, 2 ** 31 - 1]
  const wholeEdge = fc.constantFrom(...edges)
  const sumEdge = fc.constantFrom(...edges, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)
  const small = fc.nat(15)
  /** Small numbers but for one, at an edge beyond which it may not fit. */
  const tile = fc
    .record({
      day: fc.oneof(fc.integer({ min: newestDay - 300, max: newestDay }), fc.nat(newestDay)),
      counts: fc.tuple(small, small, small, small, small, small),
      sums: fc.tuple(small, small, small, small, small),
      place: fc.nat(10),
      wholeEdge,
      sumEdge,
    })
    .map(({ day, counts, sums, place, ...edge }) => {
      if (place < 6) counts[place] = edge.wholeEdge
      else sums[place - 6] = edge.sumEdge
      const [bets, inPlayBets, settled, deposits, withdrawals, sessions] = counts
      const [stake, odds, payout, depositAmount, withdrawalAmount] = sums
      return {
        day,
        bets,
        inPlayBets,
        stake,
        odds,
        settled,
        payout,
        deposits,
        depositAmount,
        withdrawals,
        withdrawalAmount,
        sessions,
      }
    })
  const player = fc.record({
    // A day has one tile, and so have all days that lie 31 days apart.
    tiles: fc.uniqueArray(tile, { maxLength: 31, size: 'max', selector: ({ day }) => day % 31 }),
    recentEventIds: fc.array(fc.maxSafeNat(), { maxLength: 32, size: 'max' }),
    pendingLabelDays: fc.array(fc.nat(newestDay), { maxLength: 32, size: 'max' }),
    losingStreak: count,
  })
  const state = new PartitionState()
  state.onActivity(bet(0), 5)
  const template = state.snapshot('ada')
  assert.ok(template !== undefined)
  const checked = fc.property(fc.array(player, { minLength: 2, maxLength: 5 }), (some) => {
    const players = new Players(1)
    const states = some.map(({ tiles, ...rest }, index) => ({
      ...template,
      ...rest,
      tiles: tiles.toSorted((a, b) => a.day - b.day),
      playerId: `player-${index}`,
    }))
    const slots = states.map((one) => players.load(one))
    assert.deepEqual(
      slots.map((slot) => players.snapshot(slot)),
      states,
    )
  })
  // Not shrunk: that takes minutes.
  fc.assert(checked, { seed, numRuns: 300, endOnFailure: true })
})

test('remove - gives slot and chunks back: who comes next takes no more memory', () => {
  const players = new Players(1)
  const template = new PartitionState()
  for (let day = 0; day < 31; day++) template.onActivity(activity('bet_placed', day), day)
  const state = template.snapshot('ada')
  assert.ok(state !== undefined)
  const fill = () => ['a', 'b', 'c'].map((playerId) => players.load({ ...state, playerId }))
  fill().forEach((slot) => players.remove(slot))
  const once = players.chunks
  assert.equal(once.free, once.made)
  fill().forEach((slot) => players.remove(slot))
  assert.deepEqual(players.chunks, once)
  assert.equal(players.size, 0)
  assert.equal(state.lastSeenAt, at(30))
})
