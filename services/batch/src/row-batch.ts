// What is a file of rows to whoever scores it?
import { FatalError } from '@churnstream/runtime'
import type { RowProblem } from './core/cells.ts'
import type { InputFile } from './inputs.ts'

/** Some rows in a row. Indexes are those of the batch, from 0. */
export interface RowBatch {
  /** The first one's number in its file, from 0. */
  readonly first: number
  readonly length: number
  /** Rows that can't be taken apart. */
  readonly problems: ReadonlyMap<number, RowProblem>
  /** A cell for each row: undefined where the row, or the file, has not that column. */
  column(name: string): Promise<ArrayLike<unknown>>
  /** What the file has in these rows, for whoever is to mend them. */
  values(indexes: readonly number[]): Promise<unknown[]>
}

/** A file that can be read as rows; batches() may be called again. */
export interface Rows {
  readonly names: readonly string[]
  /** CSV: a number is a text too. */
  readonly isText: boolean
  batches(): AsyncIterable<RowBatch>
}

/** What a reader must know of what is looked for. */
export interface Wanted {
  /** The model's columns in order: names for a file that has none. */
  readonly columns: readonly string[]
  /** Every name that would be used: by them the sides of a JSON document are known. */
  readonly expected: ReadonlySet<string>
  /** Whether these columns are enough; JSON lines are searched for what the first ones leave out. */
  readonly isEnough: (names: ReadonlySet<string>) => boolean
}

/** Rows of a batch, where the file does not say. */
export const batchRows = 4_096

export const noRows = ({ source }: InputFile): FatalError => new FatalError(`${source} has no rows`)
