// Does every column of a model know what fills it, and is everything missing named?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planRows } from './row-plan.ts'

const columns = [
  { name: 'bets_7d' },
  { name: 'market_gb' },
  { name: 'first_product_sport' },
  { name: 'acquisition_source', levels: ['paid'] },
]

test('planRows - own columns and categories by name, a mix of both', () => {
  const names = ['bets_7d', 'market', 'first_product_sport', 'acquisition_source', 'as_of', 'note']
  const { fillers, missing, ignored } = planRows(columns, names, false)
  assert.deepEqual(fillers, [
    { kind: 'own', column: { name: 'bets_7d', isIndicator: false } },
    { kind: 'category', feature: 'market', level: 'gb' },
    { kind: 'own', column: { name: 'first_product_sport', isIndicator: true } },
    {
      kind: 'own',
      column: { name: 'acquisition_source', isIndicator: false, levels: ['paid'] },
    },
  ])
  assert.deepEqual([missing, ignored], [[], ['note']])
})

test('planRows - all that is missing is named, with what would do', () => {
  assert.deepEqual(planRows(columns, ['first_product'], false).missing, [
    'bets_7d',
    'market_gb (or market)',
    'acquisition_source',
  ])
  assert.deepEqual(planRows(columns, ['first_product'], true).missing, [
    'bets_7d',
    'acquisition_source',
  ])
})
