// Which events was the load generator told are accepted? Kept where a crash can't take it back.
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export interface LedgerEntry {
  readonly eventId: string
  /** The case during which it was acknowledged. */
  readonly during: string
}

export interface Ledger {
  /** On disk when it returns. */
  append(entries: readonly LedgerEntry[]): void
  close(): void
}

export function openLedger(file: string): Ledger {
  const handle = openSync(file, 'a')
  return {
    append(entries) {
      if (entries.length === 0) return
      writeSync(handle, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      fsyncSync(handle)
    },
    close: () => closeSync(handle),
  }
}

export const readLedger = (file: string): LedgerEntry[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LedgerEntry)
