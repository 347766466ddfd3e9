import type { ChurnScore, FeatureVector } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows, checkScores } from './scores.ts'

const vector = (offset: number) => ({
  offset,
  value: {
    playerId: `p${offset}`,
    asOf: 1_000 + offset,
    trigger: 'activity',
    market: 'gb',
    causeEventId: `e${offset}`,
    causeTopic: 'player-activity',
    causePartition: 0,
    causeOffset: offset * 2,
  } as FeatureVector,
})
const score = (offset: number, change: Partial<ChurnScore> = {}) => ({
  offset,
  value: {
    ...vector(offset).value,
    score: 0.5,
    band: 'watch',
    modelName: 'churn-default',
    modelVersion: '1',
    modelEpoch: 3,
    ...change,
  } as unknown as ChurnScore,
})
const vectors = [0, 1, 2].map(vector)
const kindsOf = (scores: { offset: number; value: ChurnScore }[], committed = 3) =>
  checkScores({ partition: 0, vectors, scores, deadLetters: [], committed }).breaches.map(
    ({ kind }) => kind,
  )

test('checkScores - one score for each vector, in order, is no breach', () => {
  assert.deepEqual(kindsOf([score(0), score(1), score(2)]), [])
})

test('checkScores - a vector without a score is lost, or in flight behind the committed offset', () => {
  assert.deepEqual(kindsOf([score(0), score(1)]), ['lost'])
  const scores = [score(0), score(1)]
  const { breaches, inFlight } = checkScores({
    partition: 0,
    vectors,
    scores,
    deadLetters: [],
    committed: 2,
  })
  assert.deepEqual([breaches.length, inFlight], [0, 1])
  const aside = { partition: 0, vectors, scores, deadLetters: [2], committed: 3 }
  assert.deepEqual(checkScores(aside).breaches, [])
})

test('checkScores - twice, out of order, of no vector, or no probability is seen', () => {
  assert.deepEqual(kindsOf([score(0), score(1), score(1), score(2)]), ['duplicated'])
  assert.deepEqual(kindsOf([score(1), score(0), score(2)]), ['out-of-order'])
  assert.deepEqual(kindsOf([score(0), score(1), score(2), score(9)]), ['unexpected'])
  assert.deepEqual(kindsOf([score(0), score(1), score(2, { score: 1.2 })]), ['wrong-score'])
  assert.deepEqual(kindsOf([score(0), score(1), score(2, { market: 'us' })]), ['wrong-score'])
})

test('checkScores - an epoch that falls, or that two versions claim, is seen', () => {
  const falls = [score(0), score(1, { modelEpoch: 2 }), score(2, { modelEpoch: 2 })]
  assert.deepEqual(kindsOf(falls), ['wrong-model'])
  assert.deepEqual(kindsOf([score(0), score(1, { modelVersion: '2' }), score(2)]), ['wrong-model'])
})

const row = (offset: number, change = {}) => ({
  causeOffset: offset * 2,
  playerId: `p${offset}`,
  score: 0.5,
  modelVersion: '1',
  scoreOffset: offset,
  ...change,
})
const all = [score(0), score(1), score(2)]
const rowKinds = (rows: ReturnType<typeof row>[], until = { committed: 3, end: 3 }) =>
  checkRows(0, all, rows, until).map(({ kind }) => kind)

test('checkRows - the same scores, each once, is no breach', () => {
  assert.deepEqual(rowKinds([row(0), row(1), row(2)]), [])
})

test('checkRows - a row that lacks, is there twice, differs, or has no score is seen', () => {
  assert.deepEqual(rowKinds([row(0), row(1)]), ['lost'])
  assert.deepEqual(rowKinds([row(0), row(1)], { committed: 2, end: 3 }), [])
  assert.deepEqual(rowKinds([row(0), row(1), row(1), row(2)]), ['duplicated'])
  assert.deepEqual(rowKinds([row(0), row(1), row(2, { score: 0.4 })]), ['wrong-row'])
  const stray = row(7, { scoreOffset: 2 })
  assert.deepEqual(rowKinds([row(0), row(1), row(2), stray]), ['unexpected'])
  const newer = row(7, { scoreOffset: 3 })
  assert.deepEqual(rowKinds([row(0), row(1), row(2), newer]), [])
})
