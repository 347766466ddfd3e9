// Does a planted drift change what it says, from its instant on and not before?
import type { PlayerActivity } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plantKinds, plantSettings, type PlantKind } from './plants.ts'
import { simulate } from './population.ts'

const dayMs = 86_400_000
const startAt = Date.UTC(2026, 0, 1)
const from = startAt + 60 * dayMs
const world = { seed: 3, players: 400, startAt, endAt: startAt + 120 * dayMs, signUpDays: 120 }

function eventsOf(kind?: PlantKind): PlayerActivity[] {
  const plants = kind === undefined ? [] : [{ kind, from }]
  const steps = [...simulate({ ...world, hasSeasons: false, plants })]
  return steps.flatMap((step) => ('event' in step ? [step.event] : []))
}

const plain = eventsOf()
const isBefore = ({ occurredAt }: PlayerActivity): boolean => occurredAt < from - dayMs
const after = (events: readonly PlayerActivity[], kind: string) =>
  events.filter((event) => event.kind === kind && event.occurredAt >= from + dayMs)
const bets = (events: readonly PlayerActivity[]) => after(events, 'bet_placed')
const median = (events: readonly PlayerActivity[]): number => {
  const stakes = events.map(({ stake }) => stake ?? 0).sort((a, b) => a - b)
  return stakes[stakes.length >> 1] as number
}

for (const kind of plantKinds) {
  test(`plants - ${kind} leaves everything before it as it was`, () => {
    const planted = eventsOf(kind)
    assert.deepEqual(planted.filter(isBefore), plain.filter(isBefore))
    assert.notDeepEqual(planted, plain)
  })
}

test('plants - season-end: fewer bets, and fewer of them in play', () => {
  const planted = bets(eventsOf('season-end'))
  assert.ok(planted.length < 0.7 * bets(plain).length, `${planted.length}`)
  const inPlay = (events: readonly PlayerActivity[]) =>
    events.filter((event) => event.inPlay === true).length / events.length
  assert.ok(inPlay(planted) < 0.6 * inPlay(bets(plain)))
})

test('plants - new-channel: half of the new players come through it', () => {
  const planted = after(eventsOf('new-channel'), 'signup')
  const ofChannel = planted.filter((event) => event.acquisitionSource === plantSettings.newChannel)
  const share = ofChannel.length / planted.length
  assert.ok(Math.abs(share - plantSettings.newChannelShare) < 0.1, `${share}`)
  assert.equal(planted.length, after(plain, 'signup').length)
})

test('plants - stake-inflation: the median stake is higher by its factor', () => {
  const ratio = median(bets(eventsOf('stake-inflation'))) / median(bets(plain))
  assert.ok(Math.abs(ratio - plantSettings.stakeFactor) < 0.5, `${ratio}`)
})

test('plants - broken-feed: products, sources and in-play marks are gone', () => {
  for (const event of eventsOf('broken-feed').filter(({ occurredAt }) => occurredAt >= from)) {
    assert.deepEqual([event.product, event.acquisitionSource, event.inPlay], [null, null, null])
  }
})

test('plants - slow-leak: more and more sessions are lost, and nothing else', () => {
  const planted = eventsOf('slow-leak')
  const others = (events: readonly PlayerActivity[]) =>
    events.filter(({ kind }) => kind !== 'session_start').length
  assert.equal(others(planted), others(plain))
  const kept = (day: number): number => {
    const within = ({ kind, occurredAt }: PlayerActivity): boolean =>
      kind === 'session_start' && Math.abs(occurredAt - from - day * dayMs) < 5 * dayMs
    return planted.filter(within).length / plain.filter(within).length
  }
  assert.ok(kept(10) > kept(50) + 0.3, `${kept(10)} and ${kept(50)}`)
})

test('plants - concept-drift: who falls silent for two weeks comes back more often', () => {
  const returned = (events: readonly PlayerActivity[]): number => {
    const days = new Map<string, number[]>()
    for (const { kind, playerId, occurredAt } of events) {
      if (kind !== 'bet_placed' || occurredAt < from) continue
      days.set(playerId, [...(days.get(playerId) ?? []), occurredAt])
    }
    const gaps = [...days.values()].flatMap((at) =>
      at.toSorted((a, b) => a - b).map((instant, index, all) => (all[index + 1] ?? NaN) - instant),
    )
    return gaps.filter((gap) => gap > 12 * dayMs && gap < 26 * dayMs).length
  }
  const planted = returned(eventsOf('concept-drift'))
  assert.ok(planted > 1.3 * returned(plain), `${planted} and ${returned(plain)}`)
})
