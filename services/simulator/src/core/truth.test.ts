// Is the truth what the stream tells?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayMs } from './player.ts'
import { simulate, type Simulation } from './population.ts'
import { createRandom } from './random.ts'
import { trueLabel, truthOf, type Truth } from './truth.ts'

const startAt = Date.UTC(2026, 0, 1)
const days = 120
const players = 300
const simulation: Simulation = {
  seed: 4,
  players,
  startAt,
  // Long enough after the last day looked at for every late event to have come.
  endAt: startAt + (days + 5) * dayMs,
}
const until = startAt + days * dayMs

function betsByPlayer(): Map<string, number[]> {
  const bets = new Map<string, number[]>()
  for (const step of simulate(simulation)) {
    if (!('event' in step) || step.event.kind !== 'bet_placed') continue
    if (step.event.occurredAt > until) continue
    const list = bets.get(step.event.playerId)
    if (list) list.push(step.event.occurredAt)
    else bets.set(step.event.playerId, [step.event.occurredAt])
  }
  return bets
}

const truths = Array.from({ length: players }, (_, index) => truthOf(simulation, index, until))

test('truthOf - lists exactly the bets that the stream holds', () => {
  const bets = betsByPlayer()
  for (const { player, betAts } of truths) {
    const seen = (bets.get(player.playerId) ?? []).toSorted((a, b) => a - b)
    assert.deepEqual(betAts, seen)
  }
})

test('truthOf - nobody bets after dropping out, and some who dropped out still visit', () => {
  let dropped = 0
  for (const { droppedOutAt, betAts } of truths) {
    if (droppedOutAt === null) continue
    dropped++
    assert.ok(betAts.every((at) => at <= droppedOutAt))
  }
  assert.ok(dropped > players / 3 && dropped < players)
  const droppedAt = new Map(truths.map((truth) => [truth.player.playerId, truth.droppedOutAt]))
  let visits = 0
  for (const step of simulate(simulation)) {
    if (!('event' in step) || step.event.kind !== 'session_start') continue
    const at = droppedAt.get(step.event.playerId)
    if (at != null && step.event.occurredAt > at + dayMs) visits++
  }
  assert.ok(visits > 10, `${visits} visits after dropout`)
})

test('trueLabel - says what a search through the bets says', () => {
  const random = createRandom(8)
  const seen = { true: 0, false: 0 }
  for (let i = 0; i < 5000; i++) {
    const truth = truths[Math.floor(random.uniform() * players)] as Truth
    const horizonDays = 7 * (1 + Math.floor(random.uniform() * 4))
    const exactly = truth.betAts[Math.floor(random.uniform() * truth.betAts.length)]
    const anywhere = startAt + random.uniform() * (days - horizonDays) * dayMs
    const asOf = random.chance(0.3) && exactly !== undefined ? exactly : anywhere
    const end = asOf + horizonDays * dayMs
    if (end > until) continue
    const expected = truth.betAts.some((at) => at > asOf && at <= end)
    assert.equal(trueLabel(truth, asOf, horizonDays), expected)
    seen[`${expected}`]++
  }
  assert.ok(seen.true > 500 && seen.false > 500)
})

test('trueLabel - refuses to speak of what is not known yet', () => {
  assert.throws(() => trueLabel(truths[0] as Truth, until - dayMs, 28), RangeError)
})
