// Do vectors, labels and state follow from the records, and from nothing else?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlayerActivity } from '@churnstream/schemas'
import { PartitionState, playersPerClock, type Result } from './partition.ts'
import { dayMs, dayOf, recentIds } from './block.ts'
import { activity, at, bet, day0, seeded } from './testing.ts'

/** Either an event or a clock record. */
type Input = PlayerActivity | { clockAt: number }

function fold(inputs: readonly Input[], state = new PartitionState()): (Result | string)[] {
  return inputs.map((input, offset) =>
    'clockAt' in input ? state.onClock(input.clockAt, offset) : state.onActivity(input, offset),
  )
}
const resultOf = (result: Result | string | undefined): Result => {
  assert.ok(typeof result === 'object')
  return result
}

test('onActivity - one vector, as of the newest event of the player', () => {
  const [first, late] = fold([bet(3), bet(1)]).map(resultOf)
  assert.equal(first?.vectors[0]?.asOf, at(3))
  assert.equal(late?.vectors[0]?.asOf, at(3))
  assert.equal(late?.vectors[0]?.features.bets_7d, 2)
  assert.equal(late?.vectors[0]?.features.bets_1d, 1)
})

test('onActivity - an id that comes again is folded once, among the newest ids of the player', () => {
  const again = bet(0)
  const others = Array.from({ length: recentIds - 1 }, (_, i) => bet(0.001 * (i + 1)))
  const state = new PartitionState()
  const results = fold([again, again, ...others, again], state)
  assert.equal(results[1], 'duplicate')
  assert.equal(results.at(-1), 'duplicate')
  // One more newer id pushes it out: this is the bound that the README states.
  const beyond = fold([bet(0.1), again], state)
  assert.notEqual(beyond[1], 'duplicate')
})

test('onActivity - an event more than 30 days behind its player is too late, one of 30 days is not', () => {
  const results = fold([bet(40), bet(10), bet(9)])
  assert.equal(typeof results[1], 'object')
  assert.equal(results[2], 'too-late')
})

test('onActivity - money is summed exactly, whatever the order', () => {
  const stakes = [0.1, 0.2, 0.3, 1e6, 0.7]
  const sums = [stakes, stakes.toReversed()].map((order) => {
    const results = fold(order.map((stake, i) => bet(0.01 * i, { stake })))
    return resultOf(results.at(-1)).vectors[0]?.features.stake_7d
  })
  assert.deepEqual(sums, [1000001.3, 1000001.3])
})

test('onActivity - the losing streak counts settlements in order and ends with a win', () => {
  const settled = (days: number, payout: number) => activity('bet_settled', days, { payout })
  const results = fold([
    settled(0, 0),
    settled(1, 0),
    settled(0.5, 5),
    settled(2, 0),
    settled(3, 9),
  ])
  const streaks = results.map((result) => resultOf(result).vectors[0]?.features.losing_streak)
  assert.deepEqual(streaks, [1, 2, 2, 3, 0])
})

test('onClock - silence is scored once at each due age, and again after a new bet', () => {
  const state = new PartitionState()
  fold([bet(0)], state)
  const ages: number[] = []
  for (let hour = 1; hour <= 24 * 40; hour++) {
    const { vectors } = state.onClock(at(hour / 24), hour)
    for (const { asOf, trigger } of vectors) {
      assert.equal(trigger, 'clock')
      ages.push((asOf - day0) / dayMs)
    }
  }
  assert.deepEqual(ages, [1, 3, 7, 14, 21, 28])
  fold([bet(40)], state)
  assert.equal(state.onClock(at(41), 1).vectors.length, 1)
})

test('onClock - a clock that jumps over several due ages scores the silence once', () => {
  const state = new PartitionState()
  fold([bet(0)], state)
  assert.equal(state.onClock(at(10), 1).vectors.length, 1)
  assert.equal(state.onClock(at(13.9), 2).vectors.length, 0)
  assert.equal(state.onClock(at(14), 3).vectors.length, 1)
})

test('onClock - a player who signed up and never bet is scored too', () => {
  const state = new PartitionState()
  fold([activity('signup', 0, { acquisitionSource: 'affiliate' })], state)
  const { vectors } = state.onClock(at(1), 1)
  assert.equal(vectors[0]?.features.days_since_last_bet, null)
  assert.equal(vectors[0]?.features.acquisition_source, 'affiliate')
})

test('onClock - an older clock record changes nothing', () => {
  const state = new PartitionState()
  fold([bet(0), { clockAt: at(3) }], state)
  const before = state.snapshot('ada')
  assert.deepEqual(state.onClock(at(2), 9), { vectors: [], outcomes: [] })
  assert.deepEqual(state.snapshot('ada'), before)
})

/** Who a clock record concerned. */
const concerned = ({ vectors, outcomes }: Result): string[] => [
  ...new Set([...vectors, ...outcomes].map(({ playerId }) => playerId)),
]

test('onClock - of more players than a clock record may concern, those come first who are due longest', () => {
  const state = new PartitionState({ playersPerClock: 2 })
  const bets = [bet(0.3, { playerId: 'ada' }), bet(0.2, { playerId: 'bo' })]
  // At the same instant: by name, whoever came first.
  for (const playerId of ['eve', 'dan', 'cy']) bets.push(bet(0.1, { playerId }))
  fold([...bets, bet(0.4, { playerId: 'fay' })], state)
  assert.deepEqual(concerned(state.onClock(at(1.35), 10)), ['cy', 'dan'])
  // It says no newer time, and goes on; an older one only with those who were due by then.
  assert.deepEqual(concerned(state.onClock(at(1.15), 11)), ['eve'])
  assert.deepEqual(concerned(state.onClock(at(1.35), 12)), ['ada', 'bo'])
  assert.deepEqual(concerned(state.onClock(at(1.35), 13)), [])
  assert.deepEqual(concerned(state.onClock(at(1.5), 14)), ['fay'])
})

test('onClock - who is left over is scored as of the clock record that comes to them', () => {
  const state = new PartitionState({ playersPerClock: 1 })
  fold([bet(0, { playerId: 'ada' }), bet(0.1, { playerId: 'bo' })], state)
  const before = state.snapshot('bo')
  assert.deepEqual(concerned(state.onClock(at(2), 10)), ['ada'])
  assert.deepEqual(state.snapshot('bo'), before)
  // Two silences of theirs are over, and one of hers again, but they have been due for longer.
  const result = state.onClock(at(3.2), 11)
  assert.equal(result.vectors[0]?.asOf, at(3.2))
  const alone = new PartitionState()
  alone.onActivity(bet(0.1, { playerId: 'bo', eventId: 'b-1' }), 1)
  assert.deepEqual(result, alone.onClock(at(3.2), 11))
})

test('onClock - who bets, is erased or comes anew while they are left over is as they would be anyway', () => {
  const state = new PartitionState({ playersPerClock: 1 })
  fold(
    ['ada', 'bo', 'cas', 'cy', 'dan'].map((playerId) => bet(0, { playerId })),
    state,
  )
  assert.deepEqual(concerned(state.onClock(at(2), 10)), ['ada'])
  state.onActivity(bet(2, { playerId: 'bo' }), 11)
  state.erase('cas', 12, 12)
  state.erase('cy', 12, 12)
  // Has the slot of the last one.
  state.onActivity(bet(2.5, { playerId: 'aaron' }), 12)
  assert.deepEqual(concerned(state.onClock(at(2.6), 13)), ['dan'])
  assert.deepEqual(concerned(state.onClock(at(2.9), 14)), [])
  const then = [15, 16, 17, 18].map((offset) => concerned(state.onClock(at(3.5), offset)))
  assert.deepEqual(then, [['ada'], ['bo'], ['dan'], ['aaron']])
  const changed = state.takeChanges().map(({ playerId }) => playerId)
  assert.deepEqual(changed.sort(), ['aaron', 'ada', 'bo', 'dan'])
})

test('onClock - a label that is left over is decided by the bets that came until it is known', () => {
  const outcomeAfter = (clockDays: readonly number[]) => {
    const state = new PartitionState({ playersPerClock: 1 })
    fold([bet(0, { playerId: 'ada' }), bet(0, { playerId: 'bo' })], state)
    const found = clockDays.flatMap((days, i) => state.onClock(at(days), 10 + i).outcomes)
    const late = resultOf(state.onActivity(bet(20, { playerId: 'bo' }), 20))
    return [...found, ...late.outcomes].filter(
      ({ playerId, asOfDay }) => playerId === 'bo' && asOfDay === dayOf(day0),
    )
  }
  const [churned, ...none] = outcomeAfter([31, 31.01])
  assert.deepEqual([churned?.churned, churned?.knownAt, none], [true, at(31.01), []])
  // It came late, to a player whose label no clock record had come to.
  assert.deepEqual(
    outcomeAfter([31]).map(({ churned }) => churned),
    [false],
  )
})

test('onClock - however many are due, no clock record concerns more than its bound', () => {
  const count = 2 * playersPerClock + 1
  const state = new PartitionState()
  for (let i = 0; i < count; i++) state.onActivity(bet(0, { playerId: `player-${i}` }), i)
  state.takeChanges()
  const sizes = [0, 1, 2, 3].map((i) => {
    const found = state.onClock(at(1), count + i)
    assert.equal(state.takeChanges().length, found.vectors.length)
    return found.vectors.length
  })
  assert.deepEqual(sizes, [playersPerClock, playersPerClock, 1, 0])
})

test('outcomes - a bet on a later day within 28 days means retained, and says when it was known', () => {
  const results = fold([bet(0), bet(0.5), bet(5.25)])
  assert.deepEqual(resultOf(results[1]).outcomes, [])
  const { outcomes } = resultOf(results[2])
  assert.equal(outcomes.length, 1)
  assert.equal(outcomes[0]?.asOfDay, dayOf(day0))
  assert.equal(outcomes[0]?.churned, false)
  assert.equal(outcomes[0]?.knownAt, at(5.25))
})

test('outcomes - 28 days without a bet mean churned, once late bets can no longer come', () => {
  const state = new PartitionState()
  fold([bet(0)], state)
  const known: [number, boolean][] = []
  for (let day = 1; day <= 40; day++) {
    for (const { asOfDay, churned } of state.onClock(at(day), day).outcomes) {
      if (asOfDay === dayOf(day0)) known.push([day, churned])
    }
  }
  assert.deepEqual(known, [[31, true]])
})

test('outcomes - a bet that arrives late, within the lateness, still retains', () => {
  const state = new PartitionState()
  fold([bet(0), { clockAt: at(29.5) }], state)
  const { outcomes } = resultOf(state.onActivity(bet(28), 2))
  assert.ok(outcomes.some(({ asOfDay, churned }) => asOfDay === dayOf(day0) && !churned))
})

test('snapshot - a restored partition goes on exactly like one that never stopped', () => {
  const inputs = history(11, 3_000)
  for (const limit of [1, 2, Infinity])
    for (const cut of [1, 777, 1_500, 2_999]) restoresAt(cut, inputs, limit)

  function restoresAt(cut: number, inputs: readonly Input[], limit: number): void {
    const whole = new PartitionState({ playersPerClock: limit })
    const expected = fold(inputs, whole)
    const first = new PartitionState({ playersPerClock: limit })
    const changelog = new Map<string, ReturnType<PartitionState['takeChanges']>[number]>()
    const before = inputs.slice(0, cut).map((input, offset) => {
      const result =
        'clockAt' in input ? first.onClock(input.clockAt, offset) : first.onActivity(input, offset)
      for (const change of first.takeChanges()) changelog.set(change.playerId, change)
      return result
    })
    const second = new PartitionState({ playersPerClock: limit })
    // Another order than that in which players first came.
    for (const change of [...changelog.values()].toReversed()) second.load(structuredClone(change))
    const after = inputs
      .slice(cut)
      .map((input, index) =>
        'clockAt' in input
          ? second.onClock(input.clockAt, cut + index)
          : second.onActivity(input, cut + index),
      )
    assert.deepEqual([...before, ...after], expected)
    for (const playerId of changelog.keys()) {
      assert.deepEqual(second.snapshot(playerId), whole.snapshot(playerId))
    }
  }
})

test('features - the tiles say what a plain look at all events says', () => {
  const inputs = history(5, 4_000)
  const state = new PartitionState()
  const folded: PlayerActivity[] = []
  let compared = 0
  for (const [offset, input] of inputs.entries()) {
    if ('clockAt' in input) {
      state.onClock(input.clockAt, offset)
      continue
    }
    const result = state.onActivity(input, offset)
    if (typeof result === 'string') continue
    folded.push(input)
    const vector = result.vectors[0]
    assert.ok(vector)
    const plain = plainFeatures(folded, input.playerId, vector.asOf)
    for (const [name, value] of Object.entries(plain)) {
      const found: unknown = vector.features[name as keyof typeof vector.features]
      assert.equal(found, value, `${name} at input ${offset}`)
    }
    compared++
  }
  assert.ok(compared > 3_000)
})

/** The obvious computation, kept as the oracle of the fast one. */
function plainFeatures(events: readonly PlayerActivity[], playerId: string, asOf: number) {
  const own = events.filter((event) => event.playerId === playerId)
  const today = dayOf(asOf)
  const within = (kind: string, days: number) =>
    own.filter((event) => {
      const age = today - dayOf(event.occurredAt)
      return event.kind === kind && age >= 0 && age < days
    })
  const cents = (of: readonly PlayerActivity[], field: 'stake' | 'payout' | 'amount') =>
    of.reduce((sum, event) => sum + Math.round((event[field] ?? 0) * 100), 0) / 100
  const days = (of: readonly PlayerActivity[]) => new Set(of.map((e) => dayOf(e.occurredAt))).size
  const bets30 = within('bet_placed', 30)
  const bets = own.filter(({ kind }) => kind === 'bet_placed')
  const newest = Math.max(...bets.map(({ occurredAt }) => occurredAt))
  return {
    bets_1d: within('bet_placed', 1).length,
    bets_7d: within('bet_placed', 7).length,
    bets_30d: bets30.length,
    stake_7d: cents(within('bet_placed', 7), 'stake'),
    payout_30d: cents(within('bet_settled', 30), 'payout'),
    active_days_7d: days(within('bet_placed', 7)),
    active_days_30d: days(bets30),
    deposits_30d: within('deposit', 30).length,
    deposit_amount_30d: cents(within('deposit', 30), 'amount'),
    withdrawals_30d: within('withdrawal', 30).length,
    sessions_7d: within('session_start', 7).length,
    days_since_last_bet: bets.length === 0 ? null : Math.max(0, asOf - newest) / dayMs,
    in_play_share_30d:
      bets30.length === 0 ? null : bets30.filter(({ inPlay }) => inPlay).length / bets30.length,
  }
}

/** Random activity of a few players over 100 days, some of it late, with clock records. */
function history(seed: number, count: number): Input[] {
  const random = seeded(seed)
  const kinds = [
    'bet_placed',
    'bet_placed',
    'bet_settled',
    'deposit',
    'withdrawal',
    'session_start',
  ]
  return Array.from({ length: count }, (_, i): Input => {
    const now = (i / count) * 100
    if (i % 20 === 19) return { clockAt: at(now) }
    const late = random() < 0.1 ? random() * 33 : 0
    const kind = kinds[Math.floor(random() * kinds.length)] as string
    const amount = Math.round(random() * 10_000) / 100
    return activity(kind, Math.max(0, now - late), {
      eventId: random() < 0.02 ? `event-${seed}-${i - 1}` : `event-${seed}-${i}`,
      playerId: `player-${Math.floor(random() * 12)}`,
      market: random() < 0.5 ? 'us-nj' : 'gb',
      product: 'racing',
      stake: amount,
      odds: 1 + Math.round(random() * 900) / 100,
      payout: random() < 0.6 ? 0 : amount,
      amount,
      inPlay: random() < 0.3,
    })
  })
}

test('erase - nothing is left of a player, late activity is not folded, and a new life begins behind it', () => {
  const state = new PartitionState()
  state.onActivity(activity('bet_placed', 1, { playerId: 'ada' }), 0)
  state.onActivity(activity('bet_placed', 1, { playerId: 'bo', eventId: 'b-1' }), 1)
  state.takeChanges()
  const bo = state.snapshot('bo')
  assert.deepEqual(state.erase('ada', 2, 4), { wasKnown: true, fromOffset: 2, untilOffset: 4 })
  const [[playerId, mark] = []] = state.takeErased()
  assert.equal(playerId, 'ada')
  assert.equal(mark?.erasedBefore, 4)
  assert.equal(state.snapshot('ada'), undefined)
  // What was on its way when they asked, and the clock: no vector of theirs.
  assert.equal(state.onActivity(activity('bet_placed', 2, { playerId: 'ada' }), 3), 'erased')
  const due = state.onClock(at(40), 4)
  assert.deepEqual([...new Set(due.vectors.map((vector) => vector.playerId))], ['bo'])
  assert.deepEqual(state.takeErased(), [['ada', null]])
  const restored = new PartitionState()
  restored.load(mark)
  assert.equal(restored.onActivity(activity('bet_placed', 2, { playerId: 'ada' }), 3), 'erased')
  const born = restored.onActivity(activity('bet_placed', 2, { playerId: 'ada' }), 4)
  assert.ok(typeof born !== 'string' && born.vectors[0]?.features.tenure_days === 0)
  assert.equal(bo?.playerId, 'bo')
  assert.deepEqual(state.snapshot('bo')?.tiles, bo.tiles)
})

test('erase - a slot that is given away again keeps nothing, not even when its player was to wake', () => {
  const state = new PartitionState()
  state.onActivity(activity('bet_placed', 1, { playerId: 'ada', stake: 77 }), 0)
  state.erase('ada', 1, 1)
  state.onActivity(activity('signup', 30, { playerId: 'bo', eventId: 'b-1' }), 1)
  const alone = new PartitionState()
  alone.onActivity(activity('signup', 30, { playerId: 'bo', eventId: 'b-1' }), 1)
  assert.deepEqual(state.snapshot('bo'), alone.snapshot('bo'))
  assert.deepEqual(state.onClock(at(30.5), 2), { vectors: [], outcomes: [] })
  assert.deepEqual(state.onClock(at(33), 3), alone.onClock(at(33), 3))
  assert.equal(state.size, 1)
})
