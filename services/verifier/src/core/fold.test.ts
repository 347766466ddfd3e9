import { PartitionState, playersPerClock } from '@churnstream/features'
import {
  DecodeProblem,
  clockKind,
  type FeatureVector,
  type PlayerActivity,
  type PlayerOutcome,
} from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkFold, type FoldInput } from './fold.ts'

const startAt = Date.UTC(2026, 0, 1)
const event = (playerId: string, count: number): PlayerActivity => ({
  eventId: `${playerId}-${count}`,
  kind: 'deposit',
  playerId,
  occurredAt: startAt + count * 60_000,
  market: 'gb',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount: 20,
})
const poison = new DecodeProblem('null-value', 'no record')

/** What a service that works writes for these records; poison is set aside. */
function worked(
  records: (PlayerActivity | DecodeProblem)[],
  erasures: FoldInput['erasures'] = [],
  state = new PartitionState(),
) {
  const vectors: { offset: number; value: FeatureVector }[] = []
  const deadLetters: { offset: number; reason: string }[] = []
  for (const [offset, value] of records.entries()) {
    for (const { playerId, fromOffset, untilOffset } of erasures)
      if (fromOffset === offset) state.erase(playerId, fromOffset, untilOffset)
    if (value instanceof DecodeProblem) {
      deadLetters.push({ offset, reason: value.reason })
      continue
    }
    const result =
      value.kind === clockKind
        ? state.onClock(value.occurredAt, offset)
        : state.onActivity(value, offset)
    if (typeof result === 'string') continue
    for (const { playerId, asOf, trigger, features } of result.vectors) {
      const cause = {
        causeEventId: value.eventId,
        causeTopic: 'player-activity',
        causePartition: 0,
        causeOffset: offset,
      }
      const vector = { playerId, asOf, trigger, ...cause, ...features } as FeatureVector
      vectors.push({ offset: vectors.length, value: vector })
    }
  }
  return {
    partition: 0,
    activity: records.map((value, offset) => ({ offset, value })),
    vectors,
    outcomes: [] as { offset: number; value: PlayerOutcome }[],
    state: new Map(state.takeChanges().map((change) => [change.playerId, change])),
    erasures,
    deadLetters,
    committed: records.length,
  } satisfies FoldInput
}

const records = [event('ada', 1), event('bob', 1), poison, event('ada', 2), event('ada', 2)]
const kinds = (input: FoldInput) => checkFold(input).breaches.map(({ kind }) => kind)

test('checkFold - what a service that works wrote is no breach, and each fate is told', () => {
  const { breaches, fates } = checkFold(worked(records))
  assert.deepEqual(breaches, [])
  assert.deepEqual(
    [...fates.values()].map(({ kind }) => kind),
    ['vectors', 'vectors', 'dead-letter', 'vectors', 'skipped'],
  )
})

test('checkFold - whom a clock record leaves over is no breach, and whom it should have is', () => {
  const clock = (minutes: number): PlayerActivity => ({
    ...event('', minutes),
    kind: clockKind,
    market: '',
    amount: null,
  })
  const players = Array.from({ length: playersPerClock + 3 }, (_, i) => event(`player-${i}`, 1))
  const clocked = [...players, clock(1_441), clock(1_441)]
  const { breaches, fates } = checkFold(worked(clocked))
  assert.deepEqual(breaches, [])
  assert.deepEqual(
    [...fates.values()].slice(-2).map((fate) => 'count' in fate && fate.count),
    [playersPerClock, 3],
  )
  const unbounded = new PartitionState({ playersPerClock: Infinity })
  const found = checkFold(worked(clocked, [], unbounded)).breaches.map(({ kind }) => kind)
  assert.deepEqual([...new Set(found)], ['unexpected', 'lost', 'wrong-state'])
})

test('checkFold - a vector that lacks is lost below the committed offset, and in flight behind it', () => {
  const input = worked(records)
  const without = { ...input, vectors: input.vectors.slice(0, -1) }
  assert.deepEqual(kinds(without), ['lost'])
  const { breaches, fates } = checkFold({ ...without, committed: 3, state: new Map() })
  assert.deepEqual(
    breaches.map(({ kind }) => kind),
    ['wrong-state', 'wrong-state'],
  )
  assert.equal(fates.get(3)?.kind, 'in-flight')
})

test('checkFold - a vector twice, out of order, of no cause or with another value is seen', () => {
  const input = worked(records)
  const [first, second, third] = input.vectors as [never, never, never]
  const vectors = (...list: { offset: number; value: FeatureVector }[]) =>
    kinds({ ...input, vectors: list })
  assert.deepEqual(vectors(first, second, third, third), ['duplicated'])
  assert.deepEqual(vectors(second, first, third), ['out-of-order'])
  const { value } = third as { value: FeatureVector }
  const other = { offset: 3, value: { ...value, causeOffset: 4 } }
  assert.deepEqual(vectors(first, second, third, other), ['unexpected'])
  const wrong = { offset: 2, value: { ...value, deposits_7d: 99 } }
  assert.deepEqual(vectors(first, second, wrong), ['wrong-vector'])
})

test('checkFold - poison has one dead letter, and what is whole has none unless it was parked', () => {
  const input = worked(records)
  assert.deepEqual(kinds({ ...input, deadLetters: [] }), ['lost'])
  const [letter] = input.deadLetters as [{ offset: number; reason: string }]
  assert.deepEqual(kinds({ ...input, deadLetters: [letter, letter] }), ['duplicated'])
  const more = { offset: 4, reason: 'truncated' }
  assert.deepEqual(kinds({ ...input, deadLetters: [letter, more] }), ['unexpected'])
  const parked = { offset: 4, reason: 'parked' }
  assert.deepEqual(kinds({ ...input, deadLetters: [letter, parked] }), [])
})

test('checkFold - a state that differs, stands elsewhere or lacks is seen', () => {
  const input = worked(records)
  const ada = input.state.get('ada')
  assert.ok(ada)
  const withAda = (change: object) =>
    kinds({ ...input, state: new Map([...input.state, ['ada', { ...ada, ...change }]]) })
  assert.deepEqual(withAda({ losingStreak: 7 }), ['wrong-state'])
  assert.ok(withAda({ appliedOffset: 1 }).includes('wrong-state'))
  const { state } = input
  assert.deepEqual(kinds({ ...input, state: new Map([...state].slice(1)) }), ['wrong-state'])
})

test('checkFold - an erased player has no state, no vector of what was left out, and a new life', () => {
  const erasures = [{ playerId: 'ada', fromOffset: 2, untilOffset: 4 }]
  const history = [event('ada', 1), event('bob', 1), event('ada', 2), event('bob', 2)]
  const erased = worked(history, erasures)
  assert.deepEqual([...erased.state.keys()], ['bob'])
  assert.deepEqual(kinds(erased), [])
  const again = worked([...history, event('ada', 3)], erasures)
  assert.deepEqual(kinds(again), [])
  // Features that did not erase: its state, and a vector of activity that should have been left out.
  assert.deepEqual(kinds({ ...worked(history), erasures }), ['unexpected', 'wrong-state'])
})
