// Does a consumer see exactly the committed records, and go on behind all that was fetched?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { FetchedBatch, type AbortedTransaction } from './fetched-batch.ts'
import type { RecordBatch } from './record-batch.ts'

interface StockRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}
type StockFilter = (fetched: {
  messages: StockRecord[]
  abortedTransactions: readonly AbortedTransaction[]
}) => StockRecord[]

const stock: StockFilter = createRequire(import.meta.url)(
  'kafkajs/src/consumer/filterAbortedMessages.js',
)
const abortKey = Buffer.from([0, 0, 0, 0])

function data(
  offsets: readonly number[],
  producer: number,
  key: Buffer | null = null,
  isTransactional = true,
): RecordBatch {
  const records = offsets.map((offset) => ({
    offset: BigInt(offset),
    timestampMs: 0,
    key,
    value: null,
    headers: {},
  }))
  return {
    producerId: BigInt(producer),
    isTransactional,
    lastOffset: BigInt(offsets.at(-1) ?? 0),
    ends: undefined,
    records,
  }
}

const control = (offset: number, producer: number, ends: 'abort' | 'commit'): RecordBatch => ({
  ...data([offset], producer, Buffer.from([0, 0, 0, ends === 'abort' ? 0 : 1])),
  ends,
})

const open = (
  messages: readonly RecordBatch[],
  abortedTransactions: readonly AbortedTransaction[] | null = null,
  from = 0,
): FetchedBatch =>
  new FetchedBatch('in', String(from), {
    partition: 0,
    highWatermark: '1000',
    lastStableOffset: '1000',
    abortedTransactions,
    messages,
  })

const offsetsOf = (batch: FetchedBatch): number[] =>
  batch.messages.map(({ offset }) => Number(offset))

/** What the stock filter shows of the same. */
function stockOffsets(
  batches: readonly RecordBatch[],
  abortedTransactions: readonly AbortedTransaction[],
): number[] {
  const messages = batches.flatMap(({ producerId, isTransactional, ends, records }) =>
    records.map(({ offset, key }) => ({
      offset: String(offset),
      key,
      isControlRecord: ends !== undefined,
      batchContext: { producerId: String(producerId), inTransaction: isTransactional },
    })),
  )
  return stock({ messages, abortedTransactions })
    .filter(({ isControlRecord }) => !isControlRecord)
    .map(({ offset }) => Number(offset))
}

test('FetchedBatch - a fetch that starts inside two aborted transactions (E1)', () => {
  const batches = [data([10], 2), data([11], 1), control(12, 1, 'abort'), control(13, 2, 'abort')]
  const aborted = [
    { producerId: '1', firstOffset: '3' },
    { producerId: '2', firstOffset: '4' },
  ]
  // Stock opens the second only at the next record, so it needs the second producer first.
  assert.deepEqual(stockOffsets(batches, aborted), [10])
  assert.deepEqual(offsetsOf(open(batches, aborted)), [])
})

test('FetchedBatch - transactions listed in the order they ended (E2)', () => {
  const batches = [data([1, 2], 1), data([3], 2), control(4, 2, 'abort'), control(5, 1, 'abort')]
  const aborted = [
    { producerId: '2', firstOffset: '3' },
    { producerId: '1', firstOffset: '1' },
  ]
  assert.deepEqual(stockOffsets(batches, aborted), [1, 2])
  assert.deepEqual(offsetsOf(open(batches, aborted)), [])
})

test('FetchedBatch - a data record whose key looks like an abort marker (E3)', () => {
  const batches = [data([1], 1, abortKey), data([2], 1), control(3, 1, 'abort'), data([4], 1)]
  const aborted = [{ producerId: '1', firstOffset: '1' }]
  assert.deepEqual(stockOffsets(batches, aborted), [1, 2, 4])
  assert.deepEqual(offsetsOf(open(batches, aborted)), [4])
})

test('FetchedBatch - offsets past 2^53 are compared exactly', () => {
  const at = 2n ** 53n
  const batches = [at, at + 1n].map((offset) => ({
    ...data([0], 1),
    lastOffset: offset,
    records: [{ offset, timestampMs: 0, key: null, value: null, headers: {} }],
  }))
  const [first] = batches
  assert.deepEqual(
    open(batches, [{ producerId: '1', firstOffset: String(at + 1n) }]).messages,
    first?.records,
  )
})

test('FetchedBatch - equals a naive oracle on random interleavings', () => {
  const random = seeded(20260)
  let stockDiffers = 0
  for (let round = 0; round < 2000; round++) {
    const { batches, aborted, from, expected } = randomFetch(random)
    assert.deepEqual(offsetsOf(open(batches, aborted, from)), expected, `round ${round}`)
    const seen = stockOffsets(batches, aborted).filter((offset) => offset >= from)
    if (String(seen) !== String(expected)) stockDiffers++
  }
  assert.ok(stockDiffers > 100, `the generator must reach the defects (${stockDiffers})`)
})

test('FetchedBatch - goes on behind what nobody may see, and behind what compaction took', () => {
  const marker = open([control(7, 1, 'commit')], null, 7)
  assert.deepEqual([marker.isEmpty(), marker.isEmptyDueToFiltering()], [true, true])
  assert.deepEqual([marker.lastOffset(), marker.next], ['7', 8n])

  const emptied = { ...data([], 1), lastOffset: 9n }
  const compacted = open([emptied], null, 8)
  assert.deepEqual([compacted.isEmptyDueToFiltering(), compacted.next], [true, 10n])

  const inside = open([data([5, 6, 7], 1, null, false)], null, 6)
  assert.deepEqual(offsetsOf(inside), [6, 7])
  assert.deepEqual([inside.firstOffset(), inside.lastOffset()], ['6', '7'])
  assert.deepEqual([inside.offsetLag(), inside.offsetLagLow()], ['992', '993'])

  const nothing = open([], null, 1000)
  assert.deepEqual([nothing.isEmpty(), nothing.isEmptyDueToFiltering()], [true, false])
  assert.deepEqual([nothing.next, nothing.lastOffset(), nothing.offsetLag()], [1000n, '999', '0'])
})

interface Transaction {
  readonly producer: number
  readonly firstOffset: number
  lastOffset: number
  isAborted: boolean
}

/**
 * A log written by interleaved producers, fetched from a random offset. The oracle knows the fate
 * of each transaction when it writes it, so it never looks at offsets or markers.
 */
function randomFetch(random: (below: number) => number) {
  const log: { batch: RecordBatch; transaction: Transaction | undefined }[] = []
  const running = new Map<number, Transaction>()
  const ended: Transaction[] = []
  let offset = random(5)
  function end(producer: number, transaction: Transaction): void {
    transaction.isAborted = random(2) === 0
    transaction.lastOffset = offset
    const batch = control(offset++, producer, transaction.isAborted ? 'abort' : 'commit')
    log.push({ batch, transaction: undefined })
    ended.push(transaction)
    running.delete(producer)
  }
  const some = (): number[] => Array.from({ length: 1 + random(3) }, () => offset++)
  for (let step = 0; step < 60; step++) {
    offset += random(10) === 0 ? 3 : 0 // compaction leaves gaps
    const producer = random(4)
    const transaction = running.get(producer)
    const action = random(10)
    if (transaction && action < 3) end(producer, transaction)
    else if (!transaction && action < 2) {
      log.push({ batch: data(some(), producer, null, false), transaction: undefined })
    } else {
      const current = transaction ?? {
        producer,
        firstOffset: offset,
        lastOffset: 0,
        isAborted: false,
      }
      running.set(producer, current)
      const key = random(4) === 0 ? abortKey : null
      log.push({ batch: data(some(), producer, key), transaction: current })
    }
  }
  for (const [producer, transaction] of running) end(producer, transaction)

  const from = random(offset)
  // A broker answers with whole batches, the first of which holds the offset.
  const fetched = log.filter(({ batch }) => Number(batch.lastOffset) >= from)
  return {
    from,
    batches: fetched.map(({ batch }) => batch),
    aborted: ended
      .filter(({ isAborted, lastOffset }) => isAborted && lastOffset >= from)
      .map(({ producer, firstOffset }) => ({
        producerId: String(producer),
        firstOffset: String(firstOffset),
      })),
    expected: fetched
      .filter(({ batch, transaction }) => batch.ends === undefined && !transaction?.isAborted)
      .flatMap(({ batch }) => batch.records.map((record) => Number(record.offset)))
      .filter((at) => at >= from),
  }
}

/** Park-Miller: the same rounds on every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}
