import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fate } from './fold.ts'
import { checkLedger, type Found } from './ledger.ts'

const found = (offset: number): Found => ({ partition: 1, offset, playerId: 'ada' })
const fates: Record<number, Fate> = {
  0: { kind: 'vectors', count: 1 },
  1: { kind: 'skipped', reason: 'duplicate' },
  2: { kind: 'dead-letter' },
  3: { kind: 'in-flight' },
  4: { kind: 'vectors', count: 1 },
  5: { kind: 'skipped', reason: 'too-late' },
}
const records = new Map([
  ['scored-and-repeated', [found(0), found(1)]],
  ['dead', [found(2)]],
  ['in-flight', [found(3)]],
  ['not-scored-yet', [found(4)]],
  ['late', [found(5)]],
])
const check = (ids: string[]) =>
  checkLedger(
    ids,
    records,
    ({ offset }) => fates[offset] as Fate,
    ({ offset }) => offset === 0,
  )

test('checkLedger - every acknowledged event stands in one column of the balance', () => {
  const { balances, breaches } = check([...records.keys()])
  assert.deepEqual(breaches, [])
  assert.deepEqual(balances, [
    {
      partition: 1,
      acknowledged: 5,
      scored: 1,
      deadLettered: 1,
      skipped: 1,
      inFlight: 2,
      lost: 0,
    },
  ])
})

test('checkLedger - an acknowledged event that the topic has not is lost', () => {
  const { breaches } = check(['scored-and-repeated', 'nowhere'])
  assert.deepEqual(
    breaches.map(({ kind, eventId }) => [kind, eventId]),
    [['lost', 'nowhere']],
  )
})
