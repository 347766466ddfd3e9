// Is the stream the same each time, in order, and made of possible events?
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { PlayerActivity } from '@churnstream/schemas'
import { lateAfterMs, latestMs } from './delivery.ts'
import { dayMs, hourMs } from './player.ts'
import { simulate, type Simulation, type Step } from './population.ts'

const startAt = Date.UTC(2026, 0, 1)
const simulation = (over: Partial<Simulation> = {}): Simulation => ({
  seed: 1,
  players: 400,
  startAt,
  endAt: startAt + 100 * dayMs,
  ...over,
})

function hashOf(over: Partial<Simulation>, most: number): string {
  const hash = createHash('sha256')
  let steps = 0
  for (const step of simulate(simulation(over))) {
    hash.update(JSON.stringify(step))
    if (++steps === most) break
  }
  assert.equal(steps, most)
  return hash.digest('hex')
}

function events(over: Partial<Simulation> = {}): { deliverAt: number; event: PlayerActivity }[] {
  return [...simulate(simulation(over))].filter((step) => 'event' in step)
}

test('simulate - the same seed gives the same first 50 000 steps, another seed does not', () => {
  const players = 2000
  assert.equal(hashOf({ players }, 50_000), hashOf({ players }, 50_000))
  assert.notEqual(hashOf({ players }, 1000), hashOf({ players, seed: 2 }, 1000))
})

test('simulate - a life does not depend on how many others play, nor on when the stream ends', () => {
  const endAt = startAt + 60 * dayMs
  const alone = events({ players: 20, endAt })
  const ids = new Set(alone.map(({ event }) => event.playerId))
  const among = events({ players: 500 }).filter(
    ({ event, deliverAt }) => ids.has(event.playerId) && deliverAt < endAt,
  )
  const byId = (list: typeof alone) =>
    list.map((step) => [step.event.eventId, step] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual(byId(among), byId(alone))
})

test('simulate - steps come by time of delivery, and clocks mark every hour', () => {
  for (const seed of [1, 2, 3]) {
    let last = -Infinity
    const clocks: number[] = []
    for (const step of simulate(simulation({ seed }))) {
      assert.ok(step.deliverAt >= last)
      last = step.deliverAt
      if ('event' in step) assert.ok(step.event.occurredAt <= step.deliverAt)
      else clocks.push(step.clockAt)
    }
    const expected = Array.from({ length: 100 * 24 - 1 }, (_, i) => startAt + (i + 1) * hourMs)
    assert.deepEqual(clocks, expected)
  }
})

test('simulate - a clock step comes before anything delivered after it', () => {
  let clockAt = -Infinity
  for (const step of simulate(simulation())) {
    if ('event' in step) assert.ok(step.deliverAt - clockAt <= hourMs || clockAt === -Infinity)
    else clockAt = step.clockAt
  }
})

test('simulate - event ids are unique, also between seeds', () => {
  const all = [...events({ seed: 1 }), ...events({ seed: 12 })].map(({ event }) => event.eventId)
  assert.equal(new Set(all).size, all.length)
})

test('simulate - five in a hundred events are late, none beyond the limit', () => {
  const all = events({ players: 1500 })
  const delays = all.map(({ deliverAt, event }) => deliverAt - event.occurredAt)
  const late = delays.filter((delay) => delay > lateAfterMs)
  const share = late.length / all.length
  assert.ok(share > 0.045 && share < 0.055, `${share}`)
  assert.ok(Math.max(...late) <= latestMs + 1)
  assert.ok(late.some((delay) => delay > dayMs) && late.some((delay) => delay < hourMs))
})

test('simulate - the sign-up is the first thing that occurs to a player, and occurs once', () => {
  const byPlayer = Map.groupBy(events(), ({ event }) => event.playerId)
  for (const steps of byPlayer.values()) {
    const signups = steps.filter(({ event }) => event.kind === 'signup')
    if (signups.length === 0) continue // still on its way at the end of the stream
    assert.equal(signups.length, 1)
    const first = Math.min(...steps.map(({ event }) => event.occurredAt))
    assert.equal(signups[0]?.event.occurredAt, first)
    assert.ok(first >= startAt)
  }
})

test('simulate - every settlement follows its bet, with its product and stake', () => {
  const byPlayer = Map.groupBy(events(), ({ event }) => event.playerId)
  let settlements = 0
  for (const steps of byPlayer.values()) {
    const placed = steps.map(({ event }) => event).filter(({ kind }) => kind === 'bet_placed')
    for (const { event } of steps) {
      if (event.kind !== 'bet_settled') continue
      settlements++
      const match = placed.findIndex(
        (bet) =>
          bet.stake === event.stake &&
          bet.product === event.product &&
          bet.occurredAt + 60_000 <= event.occurredAt &&
          (event.payout === 0 ||
            event.payout === Math.round(100 * (bet.stake ?? 0) * (bet.odds ?? 0)) / 100),
      )
      // The bet itself may be late beyond the end of the stream, though not often.
      if (match === -1) settlements--
      else placed.splice(match, 1)
    }
  }
  const all = events().filter(({ event }) => event.kind === 'bet_settled').length
  assert.ok(settlements / all > 0.98, `${settlements} of ${all} settlements have their bet`)
})

test('simulate - stakes, odds and amounts are positive, and absent where they mean nothing', () => {
  for (const { event } of events()) {
    const bet = event.kind === 'bet_placed'
    const settled = event.kind === 'bet_settled'
    const money = event.kind === 'deposit' || event.kind === 'withdrawal'
    assert.equal(event.stake !== null, bet || settled)
    assert.equal(event.product !== null, bet || settled)
    assert.equal(event.odds !== null, bet)
    assert.equal(event.inPlay !== null, bet)
    assert.equal(event.payout !== null, settled)
    assert.equal(event.amount !== null, money)
    assert.equal(event.acquisitionSource !== null, event.kind === 'signup')
    assert.ok(event.stake === null || event.stake > 0)
    assert.ok(event.odds === null || (event.odds >= 1.5 && event.odds <= 15))
    assert.ok(event.payout === null || event.payout >= 0)
    assert.ok(event.amount === null || event.amount > 0)
    assert.ok(Number.isSafeInteger(event.occurredAt) && event.market !== '')
  }
})

test('simulate - a worse source loses more players', () => {
  const sources = new Map<string, string>()
  const lastBetAt = new Map<string, number>()
  const signedUpAt = new Map<string, number>()
  const long = { players: 6000, signUpDays: 20, endAt: startAt + 80 * dayMs }
  for (const { event } of events(long)) {
    if (event.kind === 'signup') {
      sources.set(event.playerId, event.acquisitionSource ?? '')
      signedUpAt.set(event.playerId, event.occurredAt)
    }
    if (event.kind === 'bet_placed') lastBetAt.set(event.playerId, event.occurredAt)
  }
  const left = (source: string) => {
    const ids = [...sources].filter(([, from]) => from === source).map(([id]) => id)
    const gone = ids.filter(
      (id) => (lastBetAt.get(id) ?? 0) < (signedUpAt.get(id) ?? 0) + 30 * dayMs,
    )
    return gone.length / ids.length
  }
  const rates = ['affiliate', 'paid', 'organic', 'referral'].map(left)
  assert.deepEqual(
    rates.toSorted((a, b) => b - a),
    rates,
    rates.join(' '),
  )
})

test('simulate - refuses what it cannot simulate', () => {
  const begin = (over: Partial<Simulation>): Step | void => simulate(simulation(over)).next().value
  assert.throws(() => begin({ seed: 1.5 }), RangeError)
  assert.throws(() => begin({ signUpDays: 0 }), RangeError)
  assert.throws(() => begin({ clockEveryMs: 0 }), RangeError)
})
