// Does every field of a score reach its column?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topics } from '@churnstream/topology'
import { asOfMs, received } from '../testing.ts'
import { insertScores, toColumns } from './columns.ts'

const causeTopic = topics.playerActivity.name

test('toColumns - one array for each column, one cell for each row, in the same order', () => {
  const rows = [0, 1].map((n) => {
    const { value, offset } = received(n)
    return { score: value, partition: 4, offset, traceId: n === 0 ? null : 'ab' }
  })
  assert.deepEqual(toColumns(rows), [
    ['p-0', 'p-1'],
    ['us-nj', 'us-nj'],
    [asOfMs, asOfMs + 1_000],
    [0.25, 0.25],
    ['watch', 'watch'],
    ['churn-default', 'churn-default'],
    ['3', '3'],
    [5, 5],
    ['activity', 'activity'],
    ['e-0', 'e-1'],
    [causeTopic, causeTopic],
    [2, 2],
    [1_000, 1_001],
    [2, 2],
    [2_000, 2_001],
    [4, 4],
    ['3000', '3001'],
    [null, 'ab'],
  ])
})

test('insertScores - names as many columns as it has parameters', () => {
  const names = /score_history \((.*?)\)/.exec(insertScores)?.[1]?.split(', ') ?? []
  const parameters = insertScores.match(/\$\d+/g) ?? []
  assert.equal(names.length, 18)
  assert.deepEqual(
    parameters,
    names.map((_, index) => `$${index + 1}`),
  )
})

test('toColumns - every field of a score has a column', () => {
  const { value } = received(0)
  const columns = new Set(/score_history \((.*?)\)/.exec(insertScores)?.[1]?.split(', '))
  for (const field of Object.keys(value)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    assert.ok(columns.has(column), column)
  }
})
