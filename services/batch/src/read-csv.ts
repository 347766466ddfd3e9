// How are the rows of a CSV file read?
import { FatalError } from '@churnstream/runtime'
import Papa from 'papaparse'
import { Readable } from 'node:stream'
import { RowProblem } from './core/cells.ts'
import type { InputFile } from './inputs.ts'
import { maxRowChars, readText } from './read-text.ts'
import { noRows, type RowBatch, type Rows } from './row-batch.ts'

/** pandas writes its row labels under such a name. */
const indexNames = new Set(['', 'Unnamed: 0'])

interface Part {
  readonly rows: readonly (readonly string[])[]
  /** By index of the part. */
  readonly badQuotes: ReadonlyMap<number, string>
}

/** @throws FatalError */
export async function openCsv(file: InputFile): Promise<Rows> {
  let header: readonly string[] | undefined
  let hasRows = false
  for await (const { rows } of readParts(file)) {
    header ??= rows[0]
    hasRows ||= rows.length > 1 || (rows.length > 0 && rows[0] !== header)
    if (hasRows) break
  }
  if (header === undefined || !hasRows) throw noRows(file)
  if (header.length === 1 && /[;\t|]/.test(header[0] as string)) {
    throw new FatalError(`${file.source} is not separated by commas: its header is ${header[0]}`)
  }
  const start = indexNames.has(header[0] as string) ? 1 : 0
  const names = header.slice(start)
  const places = new Map(names.map((name, index) => [name, index + start]))
  const width = header.length
  return {
    names,
    isText: true,
    async *batches() {
      let first = 0
      let isHeader = true
      for await (const part of readParts(file)) {
        const from = isHeader && part.rows.length > 0 ? 1 : 0
        if (from === 1) isHeader = false
        const rows = part.rows.slice(from)
        if (rows.length === 0) continue
        yield toBatch(rows, first, part.badQuotes, from, places, width)
        first += rows.length
      }
    },
  }
}

function toBatch(
  rows: readonly (readonly string[])[],
  first: number,
  badQuotes: Part['badQuotes'],
  from: number,
  places: ReadonlyMap<string, number>,
  width: number,
): RowBatch {
  const problems = new Map<number, RowProblem>()
  for (const [at, message] of badQuotes) {
    problems.set(at - from, new RowProblem('unreadable-line', message))
  }
  for (const [index, { length }] of rows.entries()) {
    if (length === width || problems.has(index)) continue
    const detail = `it has ${length} fields, the header ${width}`
    problems.set(index, new RowProblem('wrong-number-of-fields', detail))
  }
  return {
    first,
    length: rows.length,
    problems,
    async column(name) {
      const place = places.get(name)
      if (place === undefined) return Array.from({ length: rows.length })
      return rows.map((row) => row[place])
    },
    async values(indexes) {
      return indexes.map((index) => {
        const row = rows[index] as readonly string[]
        if (row.length !== width) return row
        return Object.fromEntries([...places].map(([name, place]) => [name, row[place]]))
      })
    },
  }
}

/** The header is the first row; rows without any character are left out. */
async function* readParts(file: InputFile): AsyncGenerator<Part> {
  let readChars = 0
  const text = Readable.from(counted(), { highWaterMark: 1 })
  async function* counted(): AsyncGenerator<string> {
    for await (const some of readText(file)) {
      readChars += some.length
      yield some
    }
  }
  let parser: Papa.Parser | undefined
  let results: Papa.ParseResult<string[]> | undefined
  let failed: Error | undefined
  let isDone = false
  let woken = Promise.withResolvers<void>()
  Papa.parse<string[], Readable>(text, {
    delimiter: ',',
    chunk(some, itself) {
      // Nothing more is parsed before these rows are done with.
      itself.pause()
      parser = itself
      results = some
      woken.resolve()
    },
    complete() {
      isDone = true
      woken.resolve()
    },
    error(error: Error) {
      failed = error
      woken.resolve()
    },
  })
  let rowsBefore = 0
  try {
    for (;;) {
      await woken.promise
      woken = Promise.withResolvers()
      if (failed !== undefined) throw failed
      if (results !== undefined) {
        const { data, errors, meta } = results
        results = undefined
        const badQuotes = quoteProblems(file, data, errors, rowsBefore)
        if (data.length === 0 && readChars - meta.cursor > maxRowChars) {
          throw new FatalError(
            `${file.source}: row ${rowsBefore - 1} does not end within ${maxRowChars} characters: ` +
              'is a quote not closed?',
          )
        }
        rowsBefore += data.length
        yield withoutEmpty(data, badQuotes)
      }
      if (isDone) return
      parser?.resume()
    }
  } finally {
    text.destroy()
  }
}

/** @throws FatalError where it can't be told which lines a broken quote took with it */
function quoteProblems(
  { source }: InputFile,
  data: readonly string[][],
  errors: readonly Papa.ParseError[],
  rowsBefore: number,
): Map<number, string> {
  const found = new Map<number, string>()
  for (const { type, code, row = 0 } of errors) {
    if (type !== 'Quotes') continue
    const number = rowsBefore + row - 1
    if (code === 'MissingQuotes') {
      throw new FatalError(`${source}: a quote that row ${number} opens is not closed`)
    }
    if (data[row]?.some((cell) => /[\r\n]/.test(cell))) {
      throw new FatalError(
        `${source}: a quote in row ${number} goes wrong, and lines are lost in it`,
      )
    }
    found.set(row, 'a quote stands in the middle of a field: write it twice in a quoted field')
  }
  return found
}

function withoutEmpty(data: readonly string[][], badQuotes: Part['badQuotes']): Part {
  const isEmpty = (row: readonly string[]): boolean => row.length === 1 && row[0] === ''
  if (!data.some(isEmpty)) return { rows: data, badQuotes }
  const rows: string[][] = []
  const moved = new Map<number, string>()
  for (const [index, row] of data.entries()) {
    if (isEmpty(row)) continue
    const message = badQuotes.get(index)
    if (message !== undefined) moved.set(rows.length, message)
    rows.push(row)
  }
  return { rows, badQuotes: moved }
}
