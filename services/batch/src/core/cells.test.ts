// Is every cell a number, nothing, or a problem that names its column?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowProblem, toIndicator, toInstant, toMarket, toNumber, toPlayerId } from './cells.ts'

const numeric = { name: 'bets_7d', isIndicator: false }
const indicator = { name: 'market_gb', isIndicator: true }
const ordinal = { name: 'market', levels: ['gb', 'us-nj', '5'], isIndicator: false }

const reasonOf = (value: unknown): unknown => (value instanceof RowProblem ? value.reason : value)

test('toNumber - texts of a CSV are numbers as pandas and spreadsheets write them', () => {
  const cases: [string, number | string][] = [
    ['0', 0],
    ['-0', -0],
    ['12.5', 12.5],
    ['.5', 0.5],
    ['+7', 7],
    ['1e-3', 0.001],
    ['0e5', 0],
    ['2E+3', 2000],
    [' 4 ', 4],
    ['5\r', 5],
    ['True', 1],
    ['false', 0],
    ['', NaN],
    ['NaN', NaN],
    ['NA', NaN],
    ['null', NaN],
    ['None', NaN],
    ['<NA>', NaN],
    ['0x10', 'not-a-number'],
    ['0b1', 'not-a-number'],
    ['1_000', 'not-a-number'],
    ['1,5', 'not-a-number'],
    ['12 bets', 'not-a-number'],
    ['   ', 'not-a-number'],
    ['-', 'not-a-number'],
    ['inf', 'number-too-large'],
    ['-Infinity', 'number-too-large'],
    ['1e400', 'number-too-large'],
    ['-3.5e38', 'number-too-large'],
  ]
  for (const [text, expected] of cases) {
    const got = reasonOf(toNumber(text, numeric, true))
    assert.ok(Object.is(got, expected), `${JSON.stringify(text)} gave ${String(got)}`)
  }
})

test('toNumber - in JSON and Parquet a text is no number, nothing and truth are', () => {
  const cases: [unknown, number | string][] = [
    [3, 3],
    [null, NaN],
    [undefined, NaN],
    [NaN, NaN],
    [true, 1],
    [12n, 12],
    ['3', 'not-a-number'],
    ['', 'not-a-number'],
    [[3], 'not-a-number'],
    [{}, 'not-a-number'],
    [new Date(0), 'not-a-number'],
    [3.5e38, 'number-too-large'],
    [3.4028234663852886e38, 3.4028234663852886e38],
  ]
  for (const [cell, expected] of cases) {
    const got = reasonOf(toNumber(cell, numeric, false))
    assert.ok(Object.is(got, expected), `${String(cell)} gave ${String(got)}`)
  }
})

test('toNumber - a problem says the column and the cell', () => {
  const problem = toNumber('12 bets', numeric, true)
  assert.ok(problem instanceof RowProblem)
  assert.match(problem.detail, /^bets_7d is "12 bets": the model takes a number$/)
})

test('toNumber - nothing has no place in a one-hot column', () => {
  for (const [cell, isText] of [
    ['', true],
    ['nan', true],
    [null, false],
    [NaN, false],
  ] as const) {
    assert.equal(reasonOf(toNumber(cell, indicator, isText)), 'not-a-number')
  }
  assert.equal(toNumber('1', indicator, true), 1)
})

test('toNumber - a category is its code, another one is unknown, a code must be one', () => {
  assert.equal(toNumber('us-nj', ordinal, false), 1)
  // The level, not the number.
  assert.equal(toNumber('5', ordinal, true), 2)
  assert.equal(toNumber('1', ordinal, true), 1)
  assert.equal(toNumber(2, ordinal, false), 2)
  assert.ok(Object.is(toNumber('fr', ordinal, true), NaN))
  assert.ok(Object.is(toNumber('1', ordinal, false), NaN))
  assert.ok(Object.is(toNumber('', ordinal, true), NaN))
  assert.equal(reasonOf(toNumber(3, ordinal, false)), 'unknown-code')
  assert.equal(reasonOf(toNumber('0.5', ordinal, true)), 'unknown-code')
})

test('toIndicator - 1 for the level, 0 for every other text and for nothing', () => {
  assert.equal(toIndicator('gb', 'market', 'gb'), 1)
  assert.equal(toIndicator('GB', 'market', 'gb'), 0)
  assert.equal(toIndicator(null, 'market', 'gb'), 0)
  assert.equal(reasonOf(toIndicator(3, 'market', 'gb')), 'not-a-category')
})

test('toPlayerId - no digit is lost and no control character let in', () => {
  assert.equal(toPlayerId('ada'), 'ada')
  assert.equal(toPlayerId(42), '42')
  assert.equal(toPlayerId(9_007_199_254_740_993n), '9007199254740993')
  for (const cell of [null, undefined, '', NaN]) assert.equal(toPlayerId(cell), null)
  const bad = [2 ** 53, 1.5, true, 'a\u0000b', 'x'.repeat(201), '\ud800', {}]
  for (const cell of bad) assert.equal(reasonOf(toPlayerId(cell)), 'bad-player-id')
  assert.equal(reasonOf(toMarket('gb\n')), 'bad-market')
})

test('toInstant - milliseconds and ISO texts are the same instant, a time without a zone is UTC', () => {
  const at = Date.UTC(2026, 10, 16, 6, 30)
  const same = [
    at,
    BigInt(at),
    new Date(at),
    String(at),
    `${at}.0`,
    '2026-11-16T06:30:00Z',
    '2026-11-16T06:30',
    '2026-11-16 06:30:00',
    '2026-11-16 06:30:00+00:00',
    '2026-11-16T17:30:00.000+1100',
    '2026-11-16T06:30:00.000000',
  ]
  for (const cell of same) assert.equal(toInstant(cell), at, String(cell))
  assert.equal(toInstant('2026-11-16'), Date.UTC(2026, 10, 16))
  for (const cell of [null, undefined, '', NaN]) assert.equal(toInstant(cell), null)
})

test('toInstant - seconds, other dates and no dates at all are refused', () => {
  for (const cell of [
    '16/11/2026',
    '2026-13-01',
    'yesterday',
    true,
    1.5e12 + 0.5,
    1_763_000_000,
    1e18,
  ]) {
    assert.equal(reasonOf(toInstant(cell)), 'bad-as-of', String(cell))
  }
})
