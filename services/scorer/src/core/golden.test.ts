// Is a golden file read for what it says, and refused for what it cannot?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bandOf } from './band.ts'
import { goldenRows, largestDifference, parseGolden, toleranceOf } from './golden.ts'

const golden = { columns: ['a', 'b'], rows: [[1, null]], probabilities: [0.5] }
const parse = (change: object, columns = ['a', 'b']) =>
  parseGolden(JSON.stringify({ ...golden, ...change }), columns)

test('parseGolden - null is NaN', () => {
  assert.deepEqual([...goldenRows(parse({}))], [1, NaN])
})

test('parseGolden - a file that does not fit the model says why', () => {
  assert.throws(() => parse({}, ['b', 'a']), /columns/)
  assert.throws(() => parse({ rows: [], probabilities: [] }), /no rows/)
  assert.throws(() => parse({ rows: [[1]] }), /row 0/)
  assert.throws(() => parse({ rows: [[1, 'x']] }), /row 0/)
  assert.throws(() => parse({ probabilities: [] }), /1 rows but 0 prob/)
  assert.throws(() => parse({ probabilities: ['x'] }), /no number/)
  assert.throws(() => parse({ leafSum: -1 }), /leafSum/)
  assert.throws(() => parseGolden('null', []), /needs the lists/)
  assert.throws(() => parseGolden('{', []), SyntaxError)
})

test('largestDifference - a score that is no number is infinitely far', () => {
  const two = { columns: ['a'], rows: [[1], [2]], probabilities: [0.5, 0.25] }
  assert.equal(largestDifference(two, [0.5, 0.75]), 0.5)
  assert.equal(largestDifference(two, [0.5, NaN]), Infinity)
  assert.equal(largestDifference(two, [0.5]), Infinity)
})

test('toleranceOf - grows with what rounding can add up, within bounds', () => {
  assert.deepEqual(
    [{}, { leafSum: 1 }, { leafSum: 8 }, { leafSum: 1_000 }].map(toleranceOf),
    [1e-6, 1e-6, 2e-6, 1e-5],
  )
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
