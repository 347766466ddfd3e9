// Does chance follow its distributions, and repeat itself with its seed?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom, type Random } from './random.ts'

function moments(
  draw: (random: Random) => number,
  n = 100_000,
): { mean: number; variance: number } {
  const random = createRandom(42, 'moments')
  let sum = 0
  let squares = 0
  for (let i = 0; i < n; i++) {
    const value = draw(random)
    sum += value
    squares += value * value
  }
  const mean = sum / n
  return { mean, variance: squares / n - mean * mean }
}

const table: [string, (random: Random) => number, number, number][] = [
  ['uniform', (r) => r.uniform(), 0.5, 1 / 12],
  ['normal', (r) => r.normal(3, 2), 3, 4],
  ['exponential', (r) => r.exponential(2), 2, 4],
  ['gamma, shape above 1', (r) => r.gamma(2.5, 2), 5, 10],
  ['gamma, shape below 1', (r) => r.gamma(0.5, 2), 1, 2],
  ['beta', (r) => r.beta(2, 6), 0.25, 0.1875 / 9],
  ['poisson, small', (r) => r.poisson(1.7), 1.7, 1.7],
  ['poisson, large', (r) => r.poisson(80), 80, 80],
  ['negativeBinomial', (r) => r.negativeBinomial(4, 2), 4, 4 + 16 / 2],
]

test('createRandom - every distribution has its mean and variance', () => {
  for (const [name, draw, mean, variance] of table) {
    const found = moments(draw)
    assert.ok(Math.abs(found.mean - mean) < 0.03 * mean, `${name}: mean ${found.mean}`)
    assert.ok(
      Math.abs(found.variance - variance) < 0.06 * variance,
      `${name}: variance ${found.variance}`,
    )
  }
})

test('createRandom - the median of a lognormal is its median', () => {
  const random = createRandom(5)
  const values = Array.from({ length: 20_001 }, () => random.logNormal(4, 1.3)).sort(
    (a, b) => a - b,
  )
  assert.ok(Math.abs((values[10_000] ?? 0) - 4) < 0.25, `${values[10_000]}`)
})

test('createRandom - the same path gives the same stream, another path another one', () => {
  const draw = (random: Random) => Array.from({ length: 5 }, () => random.uniform())
  assert.deepEqual(draw(createRandom(1, 'player', 7)), draw(createRandom(1, 'player', 7)))
  const firsts = new Set<number>()
  for (let seed = 0; seed < 50; seed++) {
    for (let player = 0; player < 50; player++) {
      firsts.add(createRandom(seed, 'player', player).uniform())
    }
  }
  assert.ok(firsts.size >= 2499, `${firsts.size} of 2500 streams begin differently`)
})

test('pick - follows the weights', () => {
  const random = createRandom(3)
  const seen = { a: 0, b: 0, c: 0 }
  for (let i = 0; i < 10_000; i++) seen[random.pick({ a: 1, b: 3, c: 0 })]++
  assert.equal(seen.c, 0)
  assert.ok(Math.abs(seen.b / 10_000 - 0.75) < 0.02)
})
