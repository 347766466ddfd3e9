// What is left of a Parquet file without a player's rows?
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { ParquetWriter, fileWriter } from 'hyparquet-writer'
import { isDeepStrictEqual } from 'node:util'

export type Row = Readonly<Record<string, unknown>>

const rowGroupRows = 50_000

/** Every row of a file. */
export async function readRows(file: string) {
  const buffer = await asyncBufferFromFile(file)
  const metadata = await parquetMetadataAsync(buffer)
  const rows = (await parquetReadObjects({ file: buffer, metadata, compressors })) as Row[]
  return { metadata, rows }
}

export async function countInParquet(
  file: string,
  isTheirs: (row: Row) => boolean,
): Promise<number> {
  const { rows } = await readRows(file)
  return rows.filter(isTheirs).length
}

/**
 * Writes the other rows with the same columns.
 * @returns how many rows; undefined when the others would not be read as they were before
 */
export async function withoutInParquet(
  from: string,
  to: string,
  isTheirs: (row: Row) => boolean,
): Promise<{ readonly removed: number; readonly kept: number } | undefined> {
  const { metadata, rows } = await readRows(from)
  const kept = rows.filter((row) => !isTheirs(row))
  const names = metadata.schema.slice(1).map(({ name }) => name)
  try {
    const writer = new ParquetWriter({
      writer: fileWriter(to),
      schema: metadata.schema,
      createdBy: 'churnstream',
    })
    await writer.write({
      columnData: names.map((name) => ({ name, data: kept.map((row) => row[name]) })),
      rowGroupSize: rowGroupRows,
    })
    await writer.finish()
    const { rows: written } = await readRows(to)
    if (!isDeepStrictEqual(written, kept)) return undefined
    return { removed: rows.length - kept.length, kept: kept.length }
  } catch {
    // Of a kind that can be read and not written, nested columns for one: the caller says so.
    return undefined
  }
}
