// How are the rows of a JSON document read, whichever way pandas wrote it?
import { FatalError, messageOf } from '@churnstream/runtime'
import { TableProblem, parseOrdered, toTable } from './core/orientation.ts'
import type { InputFile } from './inputs.ts'
import { toListBatch } from './list-rows.ts'
import { openJsonLines } from './read-json-lines.ts'
import { readText } from './read-text.ts'
import { batchRows, noRows, type Rows, type Wanted } from './row-batch.ts'

/** A document is held as a whole, and a few times over. */
const maxDocumentChars = 64 * 1024 * 1024

/** JSON lines under this name are read as such. @throws FatalError */
export async function openJson(file: InputFile, wanted: Wanted): Promise<Rows> {
  const { source } = file
  const parts: string[] = []
  let chars = 0
  for await (const text of readText(file)) {
    if (parts.length === 0 && areLines(text)) return openJsonLines(file, wanted)
    parts.push(text)
    chars += text.length
    if (chars > maxDocumentChars) {
      throw new FatalError(
        `${source} is one JSON document of more than ${maxDocumentChars / 1024 ** 2} million ` +
          'characters: write JSON lines (to_json(orient="records", lines=True)) or Parquet, which ' +
          'are read a part at a time',
      )
    }
  }
  const document = parse(source, parts.join(''))
  const table = toTable(document, wanted.expected)
  if (table instanceof TableProblem) throw new FatalError(`${source} ${table.detail}`)
  const { rows } = table
  const [first] = rows
  if (first === undefined) throw noRows(file)
  const names = table.names ?? wanted.columns
  if (table.names === undefined && first.length !== names.length) {
    throw new FatalError(
      `${source} has ${first.length} columns without names, the model ${names.length}`,
    )
  }
  return {
    names,
    isText: false,
    async *batches() {
      for (let start = 0; start < rows.length; start += batchRows) {
        yield toListBatch(rows.slice(start, start + batchRows), start, names)
      }
    },
  }
}

/** The first line is a whole value, and something follows it. */
function areLines(text: string): boolean {
  const start = text.search(/\S/)
  const end = text.indexOf('\n', start)
  if (start < 0 || end < 0 || !/\S/.test(text.slice(end))) return false
  const line = text.slice(start, end)
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null
  } catch {
    // One document over several lines.
    return false
  }
}

function parse(source: string, text: string): unknown {
  try {
    return parseOrdered(text)
  } catch (error) {
    throw new FatalError(`${source} is no JSON: ${messageOf(error)}`)
  }
}
