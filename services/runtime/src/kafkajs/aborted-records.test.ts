// Does the filter hide exactly the records of aborted transactions?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { withoutAbortedRecords } from './aborted-records.ts'
import type { AbortedTransaction, FetchedRecord } from './aborted-records.ts'

type Filter = (fetched: {
  messages: FetchedRecord[]
  abortedTransactions: AbortedTransaction[]
}) => FetchedRecord[]

const stock: Filter = createRequire(import.meta.url)(
  'kafkajs/src/consumer/filterAbortedMessages.js',
)
const ABORT = Buffer.from([0, 0, 0, 0])
const COMMIT = Buffer.from([0, 0, 0, 1])

function data(offset: number, producerId: string, key: Buffer | null = null): FetchedRecord {
  const batchContext = { producerId, inTransaction: true }
  return { offset: String(offset), key, isControlRecord: false, batchContext }
}

function plain(offset: number, producerId: string): FetchedRecord {
  const batchContext = { producerId, inTransaction: false }
  return { offset: String(offset), key: null, isControlRecord: false, batchContext }
}

function control(offset: number, producerId: string, key: Buffer): FetchedRecord {
  const batchContext = { producerId, inTransaction: true }
  return { offset: String(offset), key, isControlRecord: true, batchContext }
}

/** As kafkajs' Batch does: the control records are hidden after the filter. */
function visible(
  filter: Filter,
  messages: FetchedRecord[],
  abortedTransactions: AbortedTransaction[],
) {
  return filter({ messages, abortedTransactions })
    .filter((record) => !record.isControlRecord)
    .map((record) => Number(record.offset))
}

test('withoutAbortedRecords - a fetch that starts inside two aborted transactions (E1)', () => {
  const records = [data(10, '1'), data(11, '2'), control(12, '1', ABORT), control(13, '2', ABORT)]
  const aborted = [
    { producerId: '1', firstOffset: '3' },
    { producerId: '2', firstOffset: '4' },
  ]
  // Stock opens the second only at the next record, so it needs the second producer first.
  const swapped = [data(10, '2'), data(11, '1'), ...records.slice(2)]
  assert.deepEqual(visible(stock, swapped, aborted), [10])
  assert.deepEqual(visible(withoutAbortedRecords, swapped, aborted), [])
  assert.deepEqual(visible(withoutAbortedRecords, records, aborted), [])
})

test('withoutAbortedRecords - transactions listed in the order they ended (E2)', () => {
  const records = [
    data(1, '1'),
    data(2, '1'),
    data(3, '2'),
    control(4, '2', ABORT),
    control(5, '1', ABORT),
  ]
  const aborted = [
    { producerId: '2', firstOffset: '3' },
    { producerId: '1', firstOffset: '1' },
  ]
  assert.deepEqual(visible(stock, records, aborted), [1, 2])
  assert.deepEqual(visible(withoutAbortedRecords, records, aborted), [])
})

test('withoutAbortedRecords - a data record whose key looks like an abort marker (E3)', () => {
  const records = [data(1, '1', ABORT), data(2, '1'), control(3, '1', ABORT), data(4, '1')]
  const aborted = [{ producerId: '1', firstOffset: '1' }]
  assert.deepEqual(visible(stock, records, aborted), [1, 2, 4])
  assert.deepEqual(visible(withoutAbortedRecords, records, aborted), [4])
})

test('withoutAbortedRecords - nothing aborted returns the very same list', () => {
  const messages = [data(1, '1')]
  assert.equal(withoutAbortedRecords({ messages, abortedTransactions: [] }), messages)
  assert.equal(withoutAbortedRecords({ messages, abortedTransactions: null }), messages)
})

test('withoutAbortedRecords - legacy records and offsets past 2^53 are kept and compared', () => {
  const big = { ...data(0, '1'), offset: '9007199254740993' }
  const legacy: FetchedRecord = { offset: '9007199254740992', key: null }
  const abortedTransactions = [{ producerId: '1', firstOffset: '9007199254740993' }]
  const before = { ...data(0, '1'), offset: '9007199254740992' }
  const messages = [legacy, before, big]
  assert.deepEqual(withoutAbortedRecords({ messages, abortedTransactions }), [legacy, before])
})

test('withoutAbortedRecords - equals a naive oracle on random interleavings', () => {
  const random = seeded(20260)
  let stockDiffers = 0
  for (let round = 0; round < 2000; round++) {
    const { records, aborted, expected } = randomFetch(random)
    assert.deepEqual(visible(withoutAbortedRecords, records, aborted), expected, `round ${round}`)
    if (String(visible(stock, records, aborted)) !== String(expected)) stockDiffers++
  }
  assert.ok(stockDiffers > 100, `the generator must reach the defects (${stockDiffers})`)
})

test('withoutAbortedRecords - time grows with the records, not with records x transactions', () => {
  const messages: FetchedRecord[] = []
  const abortedTransactions: AbortedTransaction[] = []
  for (let i = 0; i < 50_000; i++) {
    const producerId = String(i)
    messages.push(data(2 * i, producerId), control(2 * i + 1, producerId, ABORT))
    abortedTransactions.push({ producerId, firstOffset: String(2 * i) })
  }
  abortedTransactions.reverse()
  const startedAt = performance.now()
  assert.equal(withoutAbortedRecords({ messages, abortedTransactions }).length, 50_000)
  // A quadratic filter takes minutes here; this one some 50 ms.
  assert.ok(performance.now() - startedAt < 5000)
})

/**
 * A log written by interleaved producers, fetched from a random offset. The oracle knows the fate
 * of each transaction when it writes it, so it never looks at offsets or markers.
 */
function randomFetch(random: (below: number) => number) {
  const log: { record: FetchedRecord; txn: Txn | undefined }[] = []
  const open = new Map<string, Txn>()
  const ended: Txn[] = []
  let offset = random(5)
  function end(producerId: string, txn: Txn) {
    txn.aborted = random(2) === 0
    txn.lastOffset = offset
    log.push({
      record: control(offset++, producerId, txn.aborted ? ABORT : COMMIT),
      txn: undefined,
    })
    ended.push(txn)
    open.delete(producerId)
  }
  for (let step = 0; step < 60; step++) {
    offset += random(10) === 0 ? 3 : 0 // compaction leaves gaps
    const producerId = String(random(4))
    const txn = open.get(producerId)
    const action = random(10)
    if (txn && action < 3) end(producerId, txn)
    else if (!txn && action < 2) log.push({ record: plain(offset++, producerId), txn: undefined })
    else {
      const current = txn ?? { producerId, firstOffset: offset, lastOffset: 0, aborted: false }
      open.set(producerId, current)
      const key = random(4) === 0 ? ABORT : null
      log.push({ record: data(offset++, producerId, key), txn: current })
    }
  }
  for (const [producerId, txn] of open) end(producerId, txn)

  const from = random(offset)
  const fetched = log.filter(({ record }) => Number(record.offset) >= from)
  return {
    records: fetched.map(({ record }) => record),
    aborted: ended
      .filter((txn) => txn.aborted && txn.lastOffset >= from)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: String(firstOffset) })),
    expected: fetched
      .filter(({ record, txn }) => !record.isControlRecord && !txn?.aborted)
      .map(({ record }) => Number(record.offset)),
  }
}

interface Txn {
  producerId: string
  firstOffset: number
  lastOffset: number
  aborted: boolean
}

/** Park-Miller: the same rounds on every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}
