// Which fetched records may a read_committed consumer see?

/** What kafkajs knows of one fetched record. Legacy message sets carry no batchContext. */
export interface FetchedRecord {
  offset: string
  key: Uint8Array | null
  isControlRecord?: boolean
  batchContext?: { producerId: string; inTransaction: boolean }
}

export interface AbortedTransaction {
  producerId: string
  firstOffset: string
}

/** Takes the place of kafkajs' consumer/filterAbortedMessages.js, with the same call. */
export function withoutAbortedRecords<R extends FetchedRecord>({
  messages,
  abortedTransactions,
}: {
  messages: R[]
  abortedTransactions?: readonly AbortedTransaction[] | null
}): R[] {
  if (!abortedTransactions?.length) return messages

  // The broker lists transactions in the order they ended, not in the order they began.
  const upcoming = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0))
  const open = new Set<string>()
  let next = 0

  return messages.filter((record) => {
    // A fetch can start inside several aborted transactions, so one record may open many.
    if (next < upcoming.length) {
      const offset = BigInt(record.offset)
      for (let txn = upcoming[next]; txn && txn.firstOffset <= offset; txn = upcoming[++next]) {
        open.add(txn.producerId)
      }
    }

    if (!record.batchContext) return true
    const { producerId, inTransaction } = record.batchContext
    // Control records stay in: kafkajs' Batch resolves their offsets, then hides them itself.
    if (record.isControlRecord) {
      if (saysAbort(record.key)) open.delete(producerId)
      return true
    }
    return !(inTransaction && open.has(producerId))
  })
}

// A control record's key is version int16, type int16; type 0 is abort, 1 is commit.
function saysAbort(key: Uint8Array | null): boolean {
  return key !== null && key.length >= 4 && key[2] === 0 && key[3] === 0
}
