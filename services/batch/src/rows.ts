// How are the rows of a file read, whatever its kind?
import { FatalError } from '@churnstream/runtime'
import type { FileKind, InputFile } from './inputs.ts'
import { openCsv } from './read-csv.ts'
import { openJson } from './read-json.ts'
import { openJsonLines } from './read-json-lines.ts'
import { openParquet } from './read-parquet.ts'
import type { Rows, Wanted } from './row-batch.ts'

/** @throws FatalError that says what is wrong with the whole file */
export async function openRows(file: InputFile, wanted: Wanted): Promise<Rows> {
  const rows = await readers[file.kind](file, wanted)
  const twice = rows.names.filter((name, index) => rows.names.indexOf(name) !== index)
  if (twice.length > 0) {
    throw new FatalError(`${file.source} names columns twice: ${[...new Set(twice)].join(', ')}`)
  }
  return rows
}

const readers: Readonly<Record<FileKind, (file: InputFile, wanted: Wanted) => Promise<Rows>>> = {
  csv: openCsv,
  jsonl: openJsonLines,
  json: openJson,
  parquet: openParquet,
}
