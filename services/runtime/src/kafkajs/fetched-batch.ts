// Which of the fetched records may a consumer see, and how far has it come with them?
import type { ConsumedRecord } from '../kafka.ts'
import type { RecordBatch } from './record-batch.ts'

/** As kafkajs reads it of an answer to a fetch, the record set in our form. */
export interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  readonly lastStableOffset: string
  readonly abortedTransactions?: readonly AbortedTransaction[] | null
  readonly messages: readonly RecordBatch[]
}

export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/** Takes the place of kafkajs' consumer/batch.js: what its runner and its group ask of a batch. */
export class FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly fetchedOffset: string
  readonly highWatermark: string
  /** Committed data from the offset on that was asked for. */
  readonly messages: readonly ConsumedRecord[]
  /** Behind all that was fetched, also what nobody may see; where it began if that is nothing. */
  readonly next: bigint
  readonly #wasFetched: boolean
  readonly #stableEnd: bigint

  constructor(topic: string, fetchedOffset: string, data: FetchedPartition) {
    this.topic = topic
    this.partition = data.partition
    this.fetchedOffset = fetchedOffset
    this.highWatermark = data.highWatermark
    this.#stableEnd = BigInt(data.lastStableOffset)
    const from = BigInt(fetchedOffset)
    this.messages = committedFrom(from, data.messages, data.abortedTransactions ?? [])
    const last = data.messages.at(-1)?.lastOffset
    this.#wasFetched = last !== undefined
    this.next = last === undefined || last < from ? from : last + 1n
  }

  isEmpty(): boolean {
    return this.messages.length === 0
  }

  /** All of it was of control, aborted, or taken out by compaction. */
  isEmptyDueToFiltering(): boolean {
    return this.isEmpty() && this.#wasFetched
  }

  firstOffset(): string | null {
    const [first] = this.messages
    return first === undefined ? null : String(first.offset)
  }

  lastOffset(): string {
    return String(this.#wasFetched ? this.next - 1n : BigInt(this.highWatermark) - 1n)
  }

  /** Offsets behind the last of these, up to where a transaction is open. */
  offsetLag(): string {
    const behind = this.#stableEnd - this.next
    return this.#wasFetched && behind > 0n ? String(behind) : '0'
  }

  /** Offsets behind the first of these. */
  offsetLagLow(): string {
    const [first] = this.messages
    return first === undefined ? '0' : String(BigInt(this.highWatermark) - 1n - first.offset)
  }
}

/**
 * Without what an aborted transaction wrote, as Kafka's own consumer does it: a batch is of one
 * producer and of one transaction. The stock filter took the list of aborted transactions for sorted
 * by their first offset, opened one at most for a record, and took a key of zero bytes for a marker.
 */
function committedFrom(
  from: bigint,
  batches: readonly RecordBatch[],
  aborted: readonly AbortedTransaction[],
): ConsumedRecord[] {
  // The broker lists transactions in the order they ended, not in the order they began.
  const upcoming = aborted
    .map((one) => ({
      producerId: BigInt(one.producerId),
      firstOffset: BigInt(one.firstOffset),
    }))
    .sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0))
  const open = new Set<bigint>()
  const committed: ConsumedRecord[] = []
  let next = 0
  for (const { producerId, isTransactional, lastOffset, ends, records } of batches) {
    // A fetch can start inside several aborted transactions, so one batch may open many.
    for (let txn = upcoming[next]; txn && txn.firstOffset <= lastOffset; txn = upcoming[++next]) {
      open.add(txn.producerId)
    }
    if (ends !== undefined) {
      if (ends === 'abort') open.delete(producerId)
      continue
    }
    if (isTransactional && open.has(producerId)) continue
    for (const record of records) if (record.offset >= from) committed.push(record)
  }
  return committed
}
