// How are the rows of a file with one JSON value a line read?
import { FatalError } from '@churnstream/runtime'
import { RowProblem } from './core/cells.ts'
import type { InputFile } from './inputs.ts'
import { toListBatch } from './list-rows.ts'
import { readLines } from './read-text.ts'
import { batchRows, noRows, type Rows, type Wanted } from './row-batch.ts'

interface Part {
  readonly rows: readonly unknown[]
  readonly unread: ReadonlyMap<number, RowProblem>
}

/**
 * Lines may leave out what they have not: the file has a column when a line of it has. What the first
 * lines lack is looked for in all.
 * @throws FatalError
 */
export async function openJsonLines(file: InputFile, wanted: Wanted): Promise<Rows> {
  const names = new Set<string>()
  let hasRows = false
  for await (const { rows } of readParts(file)) {
    for (const row of rows) {
      hasRows = true
      const isList = Array.isArray(row)
      if (isList && row.length === wanted.columns.length) {
        for (const name of wanted.columns) names.add(name)
      } else if (!isList && typeof row === 'object' && row !== null) {
        for (const name of Object.keys(row)) names.add(name)
      }
    }
    if (wanted.isEnough(names)) break
  }
  if (!hasRows) throw noRows(file)
  if (names.size === 0) {
    throw new FatalError(
      `${file.source} is no JSON lines: no line is an object, nor a list of ` +
        `${wanted.columns.length} cells`,
    )
  }
  return {
    names: [...names],
    isText: false,
    async *batches() {
      let first = 0
      for await (const { rows, unread } of readParts(file)) {
        yield toListBatch(rows, first, wanted.columns, unread)
        first += rows.length
      }
    },
  }
}

async function* readParts(file: InputFile): AsyncGenerator<Part> {
  let rows: unknown[] = []
  let unread = new Map<number, RowProblem>()
  for await (const lines of readLines(file)) {
    for (const line of lines) {
      const row = parse(line)
      if (row === undefined) continue
      if (row instanceof RowProblem) unread.set(rows.length, row)
      rows.push(row instanceof RowProblem ? line : row)
      if (rows.length < batchRows) continue
      yield { rows, unread }
      rows = []
      unread = new Map()
    }
  }
  if (rows.length > 0) yield { rows, unread }
}

/** undefined for a line of nothing. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (line.trim() === '') return undefined
    return new RowProblem('unreadable-line', (error as Error).message)
  }
}
