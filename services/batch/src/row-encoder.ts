// How are rows handed to whatever writes a kind of file?
import type { OutputRow } from './core/score-row.ts'

/** Writes one file; memory is bounded. */
export interface RowEncoder<R = OutputRow> {
  write(rows: readonly R[]): Promise<void>
  finish(): Promise<void>
}
