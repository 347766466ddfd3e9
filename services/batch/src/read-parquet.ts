// How are the rows of a Parquet file read, a column of a row group at a time?
import { FatalError, messageOf } from '@churnstream/runtime'
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
  type AsyncBuffer,
  type FileMetaData,
  type ParquetScan,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { toScoreRow, scoreColumns, type OutputValue, type ScoreRow } from './core/score-row.ts'
import { firstBytes, type InputFile } from './inputs.ts'
import { noRows, type RowBatch, type Rows } from './row-batch.ts'

/** Of pandas: its row labels are no column. */
const indexName = /^__index_level_\d+__$/

/** Columns of plain values; a nested one is none. @throws FatalError */
export async function openParquet(input: InputFile): Promise<Rows> {
  const { source } = input
  const { file, metadata } = await openMetadata(source, input.file)
  if (metadata.num_rows === 0n) throw noRows(input)
  const names = parquetSchema(metadata)
    .children.filter(({ children }) => children.length === 0)
    .map(({ element }) => element.name)
    .filter((name) => !indexName.test(name))
  return {
    names,
    isText: false,
    async *batches() {
      for (const { first, length, scan } of await rowGroups(source, file, metadata)) {
        yield toBatch(source, names, scan, first, length)
      }
    },
  }
}

function toBatch(
  source: string,
  names: readonly string[],
  scan: ParquetScan,
  first: number,
  length: number,
): RowBatch {
  const known = new Set(names)
  const range = { rowStart: first, rowEnd: first + length }
  const read = (column: string): Promise<ArrayLike<unknown>> =>
    attempt(`${source}, column ${column}`, () => scan.readColumn({ column, ...range }))
  return {
    first,
    length,
    problems: new Map(),
    async column(name) {
      return known.has(name) ? read(name) : Array.from({ length })
    },
    async values(indexes) {
      const rows = indexes.map((): Record<string, unknown> => ({}))
      for (const name of names) {
        const cells = await read(name)
        for (const [at, index] of indexes.entries()) {
          const row = rows[at]
          if (row !== undefined) row[name] = cells[index]
        }
      }
      return rows
    },
  }
}

/** Rows that openScoreWriter wrote. @throws FatalError */
export async function* readScores(path: string): AsyncGenerator<ScoreRow[]> {
  const { file, metadata } = await openMetadata(path, path)
  for (const { first, length, scan } of await rowGroups(path, file, metadata)) {
    const range = { rowStart: first, rowEnd: first + length }
    const columns: ArrayLike<unknown>[] = []
    for (const { name } of scoreColumns) {
      columns.push(await attempt(path, () => scan.readColumn({ column: name, ...range })))
    }
    yield Array.from({ length }, (_, index) =>
      toScoreRow(columns.map((cells) => toValue(cells[index]))),
    )
  }
}

function toValue(cell: unknown): OutputValue {
  if (typeof cell === 'bigint') return Number(cell)
  return cell instanceof Date ? cell.getTime() : (cell as OutputValue)
}

interface Opened {
  readonly file: AsyncBuffer
  readonly metadata: FileMetaData
}

async function openMetadata(source: string, path: string): Promise<Opened> {
  const begins = (await firstBytes(path, 4)).toString('latin1')
  if (begins !== 'PAR1') throw new FatalError(`${source} is no Parquet file`)
  return attempt(source, async () => {
    const file = await asyncBufferFromFile(path)
    return { file, metadata: await parquetMetadataAsync(file) }
  })
}

async function rowGroups(
  source: string,
  file: AsyncBuffer,
  metadata: FileMetaData,
): Promise<{ readonly first: number; readonly length: number; readonly scan: ParquetScan }[]> {
  const scan = await attempt(source, () => parquetScan({ file, metadata, compressors }))
  let first = 0
  return metadata.row_groups.map(({ num_rows }) => {
    const length = Number(num_rows)
    const group = { first, length, scan }
    first += length
    return group
  })
}

/** The library throws plain errors for whatever is wrong with a file. */
async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new FatalError(`${what} can't be read as Parquet: ${messageOf(error)}`)
  }
}
