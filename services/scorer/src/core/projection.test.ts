// Does each number of a vector land in the model's column that means it?
import { catalogue, type FeatureVector } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bandOf } from './band.ts'
import { goldenRows, largestDifference, parseGolden } from './golden.ts'
import { Projection, ProjectionProblem } from './projection.ts'

const vector = {
  ...Object.fromEntries(catalogue.map(({ name }) => [name, null])),
  playerId: 'ada',
  days_since_last_bet: 2.5,
  bets_7d: 4,
  market: 'us-nj',
  acquisition_source: 'affiliate',
} as unknown as FeatureVector

test('Projection - numbers by name, categories by level, in the model’s order', () => {
  const columns = [
    'acquisition_source_affiliate',
    'bets_7d',
    'market_gb',
    'market_us-nj',
    'days_since_last_bet',
  ]
  const projection = Projection.of(columns)
  assert.ok(projection instanceof Projection)
  assert.deepEqual([...projection.rows([vector, vector])], [1, 4, 0, 1, 2.5, 1, 4, 0, 1, 2.5])
})

test('Projection - what is not known is NaN, and an unknown category is no level', () => {
  const projection = Projection.of(['losing_streak', 'first_product_sport'])
  assert.ok(projection instanceof Projection)
  assert.deepEqual([...projection.rows([vector])], [NaN, 0])
})

test('Projection - columns that nothing fills are all named', () => {
  const problem = Projection.of(['bets_7d', 'shoe_size', 'market', 'colour_red'])
  assert.ok(problem instanceof ProjectionProblem)
  assert.deepEqual(problem.columns, ['shoe_size', 'market', 'colour_red'])
})

test('parseGolden - a file that does not fit the model says why', () => {
  const golden = { columns: ['a', 'b'], rows: [[1, null]], probabilities: [0.5] }
  assert.deepEqual([...goldenRows(parseGolden(JSON.stringify(golden), ['a', 'b']))], [1, NaN])
  assert.throws(() => parseGolden(JSON.stringify(golden), ['b', 'a']), /columns/)
  assert.throws(() => parseGolden(JSON.stringify({ ...golden, rows: [] }), ['a', 'b']), /no rows/)
  assert.throws(() => parseGolden(JSON.stringify({ ...golden, rows: [[1]] }), ['a', 'b']), /row 0/)
  assert.throws(
    () => parseGolden(JSON.stringify({ ...golden, probabilities: [] }), ['a', 'b']),
    /0 prob/,
  )
})

test('largestDifference - a score that is no number is infinitely far', () => {
  const golden = { columns: ['a'], rows: [[1], [2]], probabilities: [0.5, 0.25] }
  assert.equal(largestDifference(golden, [0.5, 0.75]), 0.5)
  assert.equal(largestDifference(golden, [0.5, NaN]), Infinity)
  assert.equal(largestDifference(golden, [0.5]), Infinity)
})

test('bandOf - each threshold belongs to the band above it', () => {
  assert.deepEqual([0, 0.3499, 0.35, 0.6, 0.8, 1].map(bandOf), [
    'low',
    'low',
    'watch',
    'at-risk',
    'critical',
    'critical',
  ])
})
