// Does each market get its own model, and every other the fallback's?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeOf } from './routing.ts'
import { ShadowSums, isSampled } from './shadow.ts'

test('routeOf - the market’s own, else the fallback', () => {
  const byName = new Map([
    ['churn-default', 1],
    ['churn-us-nj', 2],
  ])
  const routes = { prefix: 'churn-', byName }
  assert.deepEqual(
    ['us-nj', 'gb', null, ''].map((market) => routeOf(routes, market)),
    [2, 1, 1, 1],
  )
  assert.equal(routeOf({ prefix: 'churn-', byName: new Map() }, 'gb'), undefined)
})

test('isSampled - the same players each time, about as many as asked', () => {
  const players = Array.from({ length: 10_000 }, (_, index) => `player-${index}`)
  const sampled = players.filter((player) => isSampled(player, 0.25))
  assert.ok(Math.abs(sampled.length - 2_500) < 250, String(sampled.length))
  assert.deepEqual(
    players.filter((player) => isSampled(player, 0.25)),
    sampled,
  )
  assert.ok(players.every((player) => isSampled(player, 1)))
  assert.ok(!players.some((player) => isSampled(player, 0)))
})

test('ShadowSums - figures add up over replicas', () => {
  const sums = new ShadowSums()
  sums.add(0.1, 0.2)
  sums.add(0.7, 0.9)
  const figures = new Map(sums.figures().map(({ name, value }) => [name, value]))
  assert.equal(figures.get('rows'), 2)
  assert.equal(figures.get('sameBand'), 1)
  assert.ok(Math.abs((figures.get('sumDifference') ?? 0) - 0.3) < 1e-12)
})
