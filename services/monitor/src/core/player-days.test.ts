// Does the right row stand for a player's day, whatever the order in which topics are read?
import type { MonitoringPartial } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cohortDueOn, dayMs, inputsDueOn, tenureBandOf } from './days.ts'
import {
  PlayerDays,
  chanceOf,
  readMark,
  type Facts,
  type Label,
  type Score,
} from './player-days.ts'
import { seeded } from './testing.ts'

const day0 = 20_000
const at = (day: number, hour = 12): number => (day0 + day) * dayMs + hour * 3_600_000

const scoreOf = (playerId: string, day: number, causeOffset: number, score = 0.5): Score => ({
  playerId,
  market: 'gb',
  asOf: at(day),
  score,
  modelName: 'churn-default',
  modelVersion: '1',
  causeTopic: 'player-activity',
  causePartition: 0,
  causeOffset,
})
const facts: Facts = { daysSinceLastBet: 1, tenureDays: 10, bins: Buffer.alloc(0) }
const labelOf = (playerId: string, day: number, churned: boolean, knownDay: number): Label => ({
  playerId,
  asOfDay: day0 + day,
  churned,
  knownAt: at(knownDay),
})
const clockTo = (days: PlayerDays, day: number): void => {
  days.onScore(scoreOf('clock', day, 0), facts)
  days.onOutcome(labelOf('clock', day - 1, false, day))
}
const inputsOf = (partials: readonly MonitoringPartial[], day: number) =>
  partials.filter((one) => one.day === day0 + day).flatMap(({ inputs }) => inputs ?? [])
const cohortsOf = (partials: readonly MonitoringPartial[], day: number) =>
  partials.filter((one) => one.day === day0 + day).flatMap(({ cohort }) => cohort ?? [])

test('PlayerDays - one row a player and day: the smallest chance, however often it is told', () => {
  const scores = Array.from({ length: 9 }, (_, offset) => scoreOf('ada', 0, offset, offset / 10))
  const [chosen] = scores.toSorted((a, b) => chanceOf(a) - chanceOf(b))
  const days = new PlayerDays(0)
  for (const score of [...scores, ...scores]) {
    assert.equal(days.wouldChoose(score), days.onScore(score, facts) === 'counted')
  }
  clockTo(days, 2)
  const [inputs, ...others] = inputsOf(days.takeDue(), 0)
  assert.equal(others.length, 0)
  assert.equal(inputs?.rows, 1)
  const bin = Math.max(0, Math.ceil((chosen as Score).score * 200) - 1)
  assert.equal(inputs?.score[bin], 1)
})

test('PlayerDays - each vector of a day stands for it equally often', () => {
  const counts = [0, 0, 0, 0]
  for (let player = 0; player < 8_000; player++) {
    const chances = counts.map((_, offset) => chanceOf(scoreOf(`p${player}`, 0, offset)))
    const winner = chances.indexOf(Math.min(...chances))
    counts[winner] = (counts[winner] as number) + 1
  }
  for (const count of counts) assert.ok(Math.abs(count - 2_000) < 160, counts.join())
})

test('PlayerDays - a day is told when scores and outcomes have both passed it, and then it is late', () => {
  const days = new PlayerDays(3)
  days.onScore(scoreOf('ada', 0, 1), facts)
  days.onScore(scoreOf('ada', 5, 2), facts)
  assert.deepEqual(days.takeDue(), [])
  days.onOutcome(labelOf('bob', 0, false, 1))
  const first = days.takeDue()
  assert.deepEqual(
    first.map(({ day, isClock, partition }) => [day - day0, isClock, partition]),
    [[1, true, 3]],
  )
  days.onOutcome(labelOf('bob', 1, false, 2))
  assert.equal(inputsOf(days.takeDue(), 0)[0]?.rows, 1)
  assert.equal(days.onScore(scoreOf('eve', 3, 3), facts), 'too-late')
  assert.equal(days.onScore(scoreOf('eve', 4, 4), facts), 'counted')
})

test('PlayerDays - a cohort holds the labelled at risk, by role, with marks; then nothing is kept', () => {
  const days = new PlayerDays(0)
  days.onScore(scoreOf('ada', 0, 1, 0.25), { ...facts, tenureDays: 95 })
  days.onScore(scoreOf('bob', 0, 2, 0.75), { ...facts, daysSinceLastBet: 9 })
  days.onScore(scoreOf('gone', 0, 3), { ...facts, daysSinceLastBet: 28 })
  days.onScore(scoreOf('mute', 0, 4), { ...facts, daysSinceLastBet: null })
  days.onShadow({ ...scoreOf('ada', 0, 1, 0.5), modelVersion: '2' })
  days.onShadow({ ...scoreOf('bob', 0, 9, 0.5), modelVersion: '2' })
  days.onOutcome(labelOf('ada', 0, false, 1))
  days.onOutcome(labelOf('bob', 0, true, 31))
  days.onOutcome(labelOf('gone', 0, true, 31))
  days.onOutcome(labelOf('unscored', 0, true, 31))
  assert.equal(days.size, 5)
  clockTo(days, 32)
  const [champion, challenger, ...others] = cohortsOf(days.takeDue(), 0)
  assert.equal(others.length, 0)
  assert.deepEqual(
    [champion?.role, champion?.scores, champion?.unlabelled],
    ['champion', [0.25, 0.75], 1],
  )
  assert.deepEqual([...(champion?.marks ?? [])].map(readMark), [
    { churned: 0, isActive: true, tenureBand: 3 },
    { churned: 1, isActive: false, tenureBand: 1 },
  ])
  assert.deepEqual([challenger?.modelVersion, challenger?.scores], ['2', [0.5, 0.5]])
  assert.deepEqual(challenger?.championScores, [0.25, NaN])
  // Only the clock's own player-days are left.
  assert.equal(days.size, 2)
  const gone = days.takeChanges().filter(([, state]) => state === null)
  assert.deepEqual(
    gone.map(([key]) => key).sort(),
    ['ada', 'bob', 'gone', 'mute', 'unscored'].map((id) => `${day0} ${id}`),
  )
})

test('PlayerDays - labels of those upon whom somebody acts are not measured, their inputs are', () => {
  const days = new PlayerDays(0, (playerId) => playerId !== 'treated')
  for (const [index, playerId] of ['ada', 'treated'].entries()) {
    days.onScore(scoreOf(playerId, 0, index), facts)
    days.onOutcome(labelOf(playerId, 0, true, 29))
  }
  clockTo(days, 40)
  const due = days.takeDue()
  assert.equal(inputsOf(due, 0)[0]?.rows, 2)
  const [cohort, ...others] = cohortsOf(due, 0)
  assert.equal(others.length, 0)
  assert.equal(cohort?.scores.length, 1)
  assert.equal(cohort?.unlabelled, 0)
})

test('PlayerDays - outcomes and shadows that come before their score meet it', () => {
  const forward = new PlayerDays(0)
  const backward = new PlayerDays(0)
  const steps = [
    (days: PlayerDays) => days.onScore(scoreOf('ada', 0, 1, 0.25), facts),
    (days: PlayerDays) => days.onShadow({ ...scoreOf('ada', 0, 1, 0.5), modelVersion: '2' }),
    (days: PlayerDays) => days.onOutcome(labelOf('ada', 0, true, 31)),
  ]
  for (const step of steps) step(forward)
  for (const step of steps.toReversed()) step(backward)
  for (const days of [forward, backward]) clockTo(days, 32)
  assert.deepEqual(forward.takeDue(), backward.takeDue())
})

/** Random histories of each topic, in its own order of event time. */
function histories(seed: number) {
  const draw = seeded(seed)
  const whole = (below: number) => Math.floor(draw() * below)
  const scores: Score[] = []
  const labels: Label[] = []
  for (let day = 0; day < 45; day++) {
    for (let n = 0; n < 12; n++) {
      const late = draw() < 0.1 ? whole(4) : 0
      scores.push({
        ...scoreOf(`p${whole(6)}`, Math.max(0, day - late), scores.length, draw()),
        market: draw() < 0.5 ? 'gb' : 'us-nj',
      })
    }
    for (let player = 0; player < 6; player++) {
      if (draw() < 0.6) labels.push(labelOf(`p${player}`, day, draw() < 0.5, day + 1 + whole(30)))
    }
  }
  labels.sort((a, b) => a.knownAt - b.knownAt)
  return { scores, labels }
}

/** Reads both topics in a random order of turns, telling what is due at random times. */
function played({ scores, labels }: ReturnType<typeof histories>, seed: number, restarts: boolean) {
  const draw = seeded(seed)
  let days = new PlayerDays(0)
  const changelog = new Map<string, ReturnType<PlayerDays['takeChanges']>[number][1]>()
  const told: MonitoringPartial[] = []
  let [s, l] = [0, 0]
  const commit = (): void => {
    told.push(...structuredClone(days.takeDue()))
    for (const [key, state] of days.takeChanges()) {
      if (state === null) changelog.delete(key)
      else changelog.set(key, structuredClone(state))
    }
  }
  while (s < scores.length || l < labels.length) {
    const takesScore = l === labels.length || (s < scores.length && draw() < 0.5)
    for (let n = Math.floor(draw() * 40); n >= 0; n--) {
      if (takesScore && s < scores.length) days.onScore(scores[s++] as Score, facts)
      if (!takesScore && l < labels.length) days.onOutcome(labels[l++] as Label)
    }
    if (draw() < 0.7) commit()
    if (!restarts || draw() < 0.8) continue
    commit()
    days = new PlayerDays(0)
    for (const [key, state] of changelog) days.load(key, state)
    days.loaded()
  }
  commit()
  return told.filter(({ isClock }) => !isClock).sort((a, b) => a.day - b.day || (a.cohort ? 1 : -1))
}

test('PlayerDays - any interleaving of the topics and any restart tell the same', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const history = histories(seed)
    const expected = played(history, 1, false)
    assert.ok(expected.some(({ cohort }) => cohort !== null) && expected.length > 40)
    for (let order = 2; order <= 5; order++) {
      const found = played(history, order * 100 + seed, order % 2 === 0)
      assert.deepEqual(normal(found), normal(expected), `seed ${seed}, order ${order}`)
    }
  }
})

/** A map of what each day tells: chunks of one day may come in several turns of the clock. */
const normal = (partials: readonly MonitoringPartial[]): string[] =>
  partials.map((partial) => JSON.stringify(partial)).sort()

test('days - inputs are due before cohorts, bands cover every tenure', () => {
  assert.deepEqual([inputsDueOn(10), cohortDueOn(10)], [12, 42])
  assert.deepEqual([0, 7.9, 8, 30.9, 31, 90, 91, 4_000].map(tenureBandOf), [0, 0, 1, 1, 2, 2, 3, 3])
})

test('erase - the days of a player go, late records of that life are left out, a new life counts', () => {
  const days = new PlayerDays(0)
  days.onScore(scoreOf('ada', 0, 1), facts)
  days.onScore(scoreOf('ada', 1, 2), facts)
  days.onScore(scoreOf('bo', 1, 3), facts)
  days.takeChanges()
  assert.equal(days.erase('ada', 10), 2)
  assert.equal(days.size, 1)
  const changes = days.takeChanges()
  const gone = changes.filter(([, state]) => state === null).map(([key]) => key)
  assert.deepEqual(gone.toSorted(), [`${day0} ada`, `${day0 + 1} ada`])
  const restored = new PlayerDays(0)
  for (const [key, state] of changes) restored.load(key, state)
  for (const one of [days, restored]) {
    assert.ok(one.isErased(scoreOf('ada', 1, 9)))
    assert.ok(!one.isErased(scoreOf('ada', 1, 10)))
    assert.ok(!one.isErased(scoreOf('bo', 1, 9)))
  }
})

test('erase - a player is remembered until nothing of that life can come any more', () => {
  for (const isFresh of [true, false]) {
    const days = new PlayerDays(0)
    if (!isFresh) clockTo(days, 0)
    days.erase('ada', 10)
    clockTo(days, 1)
    days.takeDue()
    assert.ok(days.isErased(scoreOf('ada', 0, 1)))
    clockTo(days, 40)
    days.takeDue()
    assert.ok(!days.isErased(scoreOf('ada', 0, 1)))
    assert.deepEqual(new Map(days.takeChanges()).get('erased ada'), null)
  }
})
