// Are the statistics what their formulas say?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { falseDiscoveryLimit } from './benjamini-hochberg.ts'
import { chiSquaredQuantile, chiSquaredTail, normalTwoSidedTail } from './chi-squared.ts'
import { jensenShannonDistance } from './jensen-shannon.ts'
import { kolmogorovSmirnov } from './kolmogorov-smirnov.ts'
import { risePValue } from './proportion.ts'
import { toShares } from './shares.ts'
import { stabilityIndex, stabilityPValue, stabilityThreshold } from './stability-index.ts'
import { scaledWasserstein } from './wasserstein.ts'

const near = (value: number, expected: number, within = 1e-12): void =>
  assert.ok(Math.abs(value - expected) <= within, `${value}, not ${expected}`)

test('stabilityIndex - the sum of its bins, symmetric, finite for a bin that is empty', () => {
  const [q, p] = [
    [0.5, 0.3, 0.2],
    [0.4, 0.4, 0.2],
  ]
  near(stabilityIndex(q, p), 0.1 * Math.log(0.5 / 0.4) + 0.1 * Math.log(0.4 / 0.3))
  near(stabilityIndex(q, p), stabilityIndex(p, q))
  assert.equal(stabilityIndex(q, q), 0)
  near(stabilityIndex([1, 0], [0.9, 0.1]), 0.1 * Math.log(1 / 0.9) + 0.0999 * Math.log(1_000))
})

test('stabilityThreshold - 0.029 for 10 bins, 1000 rows and a reference of 20 000', () => {
  const sizes = { rows: 1_000, referenceRows: 20_000, bins: 10 }
  near(stabilityThreshold(0.001, sizes), 27.8772 * (1 / 1_000 + 1 / 20_000), 1e-6)
  near(stabilityPValue(stabilityThreshold(0.001, sizes), sizes), 0.001, 1e-9)
})

test('chiSquaredTail - one at nothing, nothing at infinity, refuses no degrees', () => {
  assert.equal(chiSquaredTail(0, 3), 1)
  assert.equal(chiSquaredTail(Infinity, 3), 0)
  assert.ok(Number.isNaN(chiSquaredTail(NaN, 3)))
  assert.throws(() => chiSquaredTail(1, 0), RangeError)
  assert.throws(() => chiSquaredQuantile(1, 3), RangeError)
  near(normalTwoSidedTail(1.959963984540054), 0.05, 1e-12)
})

test('jensenShannonDistance - 0 for equal, 1 for disjoint, in base 2', () => {
  assert.equal(jensenShannonDistance([0.5, 0.5], [0.5, 0.5]), 0)
  assert.equal(jensenShannonDistance([1, 0], [0, 1]), 1)
  const divergence =
    0.5 * (0.5 * Math.log2(0.5 / 0.75) + 0.5 * Math.log2(0.5 / 0.25)) + 0.5 * Math.log2(1 / 0.75)
  near(jensenShannonDistance([0.5, 0.5], [1, 0]), Math.sqrt(divergence))
})

test('kolmogorovSmirnov - the largest gap of the cumulated shares', () => {
  near(kolmogorovSmirnov([0.25, 0.25, 0.5], [0.5, 0.25, 0.25]), 0.25)
  near(kolmogorovSmirnov([0.2, 0.3, 0.5], [0.5, 0.3, 0.2]), 0.3)
})

test('scaledWasserstein - a uniform mass that moves a bin moves by its width', () => {
  const scale = { edges: [1, 2], min: 0, max: 3, sd: 2 }
  near(scaledWasserstein([1, 0, 0], [0, 1, 0], scale), 0.5)
  near(scaledWasserstein([1, 0, 0], [0, 0, 1], scale), 1)
  assert.equal(scaledWasserstein([0.2, 0.3, 0.5], [0.2, 0.3, 0.5], scale), 0)
  near(scaledWasserstein([1, 0, 0], [0, 1, 0], { ...scale, sd: 0 }), 1_000)
})

test('risePValue - small for a rise, large for a fall, careful with nothing', () => {
  assert.ok(risePValue({ count: 60, rows: 1_000 }, { count: 10, rows: 10_000 }) < 1e-20)
  assert.ok(risePValue({ count: 0, rows: 1_000 }, { count: 500, rows: 10_000 }) > 0.999)
  assert.equal(risePValue({ count: 0, rows: 10 }, { count: 0, rows: 10_000 }), 0.5)
  near(risePValue({ count: 60, rows: 100 }, { count: 45, rows: 100 }), 0.016836, 1e-6)
})

test('falseDiscoveryLimit - the worked example of Benjamini and Hochberg', () => {
  const p = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719,
    0.6528, 0.759, 1,
  ]
  assert.equal(falseDiscoveryLimit(p, 0.05), 0.0095)
  assert.equal(falseDiscoveryLimit([0.9, 0.8], 0.05), -1)
  assert.equal(falseDiscoveryLimit([0, 0.8], 0.05), 0)
  assert.equal(falseDiscoveryLimit([], 0.05), -1)
})

test('toShares - adds up to one, and nothing counted is nothing', () => {
  assert.deepEqual(toShares([1, 3]), [0.25, 0.75])
  assert.deepEqual(toShares([0, 0]), [0, 0])
})
