import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capacityOf, growthOf, isKeptUp, nextRate, toTrend, type Tried } from './soak-verdict.ts'

/** Asks until it knows, where every rate up to the given one is kept up. */
function search(most: number): { capacity: number; rates: number[] } {
  const tried: Tried[] = []
  for (;;) {
    const ratePerSecond = nextRate(tried, 1_000)
    if (ratePerSecond === undefined) break
    tried.push({ ratePerSecond, isKeptUp: ratePerSecond <= most })
  }
  return { capacity: capacityOf(tried), rates: tried.map((each) => each.ratePerSecond) }
}

test('nextRate - doubles, then comes within a tenth', () => {
  assert.deepEqual(search(5_000), {
    capacity: 5_000,
    rates: [1_000, 2_000, 4_000, 8_000, 6_000, 5_000, 5_500],
  })
  for (const most of [1_000, 1_999, 3_333, 12_345, 70_001]) {
    const { capacity } = search(most)
    assert.ok(capacity <= most && most < 1.1 * capacity, `${capacity} of ${most}`)
  }
})

test('nextRate - goes below the first rate where even that is too much', () => {
  const { capacity, rates } = search(300)
  assert.deepEqual(rates.slice(0, 4), [1_000, 500, 250, 375])
  assert.ok(capacity <= 300 && 300 < 1.1 * capacity)
})

test('capacityOf - a rate above one that failed does not count', () => {
  const tried = [100, 200, 400, 300].map((ratePerSecond) => {
    return { ratePerSecond, isKeptUp: ratePerSecond !== 200 }
  })
  assert.equal(capacityOf(tried), 100)
  assert.equal(capacityOf([{ ratePerSecond: 7, isKeptUp: true }]), 7)
  assert.equal(capacityOf([{ ratePerSecond: 7, isKeptUp: false }]), 0)
  assert.equal(capacityOf([]), 0)
})

test('isKeptUp - what waits is no more than a second brings', () => {
  assert.equal(isKeptUp([400, 1_000, 5_000], 1_000), true)
  assert.equal(isKeptUp([400, 1_001, 5_000], 1_000), false)
})

test('toTrend - is the line through the points, and knows how sure it is', () => {
  const line = toTrend(Array.from({ length: 10 }, (_, minute) => [minute * 60, 100 + minute]))
  assert.ok(Math.abs(line.perHour - 60) < 1e-9)
  assert.ok(Math.abs(line.mean - 104.5) < 1e-9)
  assert.ok(line.uncertainty < 1e-6)
  // Residuals of a quarter, a half, a quarter: 0.375 over 1 degree of freedom, a spread of 2.
  const rough = toTrend([
    [0, 0],
    [1, 1.5],
    [2, 1.5],
  ])
  assert.ok(Math.abs(rough.perHour - 0.75 * 3600) < 1e-9)
  assert.ok(Math.abs(rough.uncertainty - 2 * Math.sqrt(0.375 / 2) * 3600) < 1e-9)
})

test('growthOf - says so only where the scatter leaves no doubt', () => {
  const of = (perHour: number, uncertainty: number) => growthOf({ mean: 200, perHour, uncertainty })
  assert.equal(of(5, 10), 'flat')
  assert.equal(of(-50, 40), 'flat')
  assert.equal(of(15, 10), 'not known')
  assert.equal(of(30, 15), 'not known')
  assert.equal(of(60, 15), 'grows')
})
