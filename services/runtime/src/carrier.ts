// How do the lanes of a process share transactions?
import { TransientError } from './errors.ts'
import type { OutgoingRecord, Transaction, TransactionalProducer } from './kafka.ts'

/** A lane's work on a chunk, up to its commit or its failure: others may wait to go with it. */
export interface Passage extends Disposable {
  /** Resolves when the transaction that took these along is committed. */
  commit(transaction: Transaction): Promise<void>
}

export interface Carrier {
  readonly id: string
  /** After a commit that failed: its outcome is unknown, and nothing may be written with it again. */
  readonly isBroken: boolean
  enter(): Passage
  /** Takes nobody along any more; what is under way ends before. */
  close(): Promise<void>
}

interface Passenger extends PromiseWithResolvers<void> {
  readonly transaction: Transaction
  readonly bytes: number
}

/** The first to have come waits so long for lanes that are still at work. */
const patienceMs = 20
/** Of a transaction; less than a lane alone may bring. */
const enoughBytes = 2 << 20
const recordOverheadBytes = 100

/**
 * Group commit: a transaction costs a broker the same requests and log entries for one partition as
 * for all of a process, so what lanes finish at about the same time goes in one. One transaction at a
 * time; what comes meanwhile goes in the next.
 */
export function createCarrier(id: string, producer: TransactionalProducer): Carrier {
  const waiting: Passenger[] = []
  let atWork = 0
  let isUnderWay = false
  let isOverdue = false
  let brokenBy: unknown
  let patience: NodeJS.Timeout | undefined
  let departure = Promise.resolve()

  const isBroken = (): boolean => brokenBy !== undefined
  const broken = (): TransientError =>
    new TransientError(`${id} broke while it carried others`, { cause: brokenBy })

  function consider(): void {
    if (isUnderWay || waiting.length === 0) return
    const bytes = waiting.reduce((sum, passenger) => sum + passenger.bytes, 0)
    if (atWork > 0 && bytes < enoughBytes && !isOverdue) {
      patience ??= setTimeout(() => {
        isOverdue = true
        consider()
      }, patienceMs)
      return
    }
    clearTimeout(patience)
    patience = undefined
    isOverdue = false
    departure = depart()
  }

  async function depart(): Promise<void> {
    isUnderWay = true
    let bytes = 0
    const full = waiting.findIndex((passenger) => (bytes += passenger.bytes) >= enoughBytes)
    const aboard = waiting.splice(0, full === -1 ? waiting.length : full + 1)
    try {
      await producer.commit(joined(aboard.map(({ transaction }) => transaction)))
      for (const { resolve } of aboard) resolve()
    } catch (error) {
      brokenBy = error
      for (const { reject } of aboard) reject(error)
      for (const { reject } of waiting.splice(0)) reject(broken())
    }
    isUnderWay = false
    consider()
  }

  return {
    id,
    get isBroken() {
      return isBroken()
    },
    enter() {
      let isIn = true
      atWork++
      const leave = (): void => {
        if (!isIn) return
        isIn = false
        atWork--
        // In a later turn: lanes whose batches came in the same fetch have entered by then.
        setImmediate(consider)
      }
      return {
        [Symbol.dispose]: leave,
        async commit(transaction) {
          leave()
          if (isBroken()) throw broken()
          const bytes = bytesOf(transaction.records)
          const passenger = { ...Promise.withResolvers<void>(), transaction, bytes }
          waiting.push(passenger)
          return passenger.promise
        },
      }
    },
    async close() {
      brokenBy ??= new Error('it was closed')
      clearTimeout(patience)
      for (const { reject } of waiting.splice(0)) reject(broken())
      await departure
      await producer.close()
    },
  }
}

function bytesOf(records: readonly OutgoingRecord[]): number {
  let bytes = records.length * recordOverheadBytes
  for (const { value } of records) bytes += value?.length ?? 0
  return bytes
}

function joined(transactions: readonly Transaction[]): Transaction {
  const [only] = transactions
  if (only !== undefined && transactions.length === 1) return only
  const records = transactions.flatMap((transaction) => transaction.records)
  const offsets = transactions.flatMap((transaction) => transaction.offsets ?? [])
  if (transactions.every(({ follow }) => follow === undefined)) return { records, offsets }
  return {
    records,
    offsets,
    async follow(placed) {
      let at = 0
      const more = transactions.map(async ({ records: { length }, follow }) => {
        const own = placed.slice(at, (at += length))
        return follow?.(own)
      })
      const settled = (await Promise.all(more)).filter((one) => one !== undefined)
      return {
        records: settled.flatMap((one) => one.records),
        offsets: settled.flatMap((one) => one.offsets ?? []),
      }
    },
  }
}
