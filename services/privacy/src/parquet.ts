// What is left of a Parquet file without a player's rows?
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { ParquetWriter, fileWriter } from 'hyparquet-writer'
import { isDeepStrictEqual } from 'node:util'
import { holds } from './core/without.ts'

type Row = Record<string, unknown>

const rowGroupRows = 50_000

async function readRows(file: string) {
  const buffer = await asyncBufferFromFile(file)
  const metadata = await parquetMetadataAsync(buffer)
  const rows = (await parquetReadObjects({ file: buffer, metadata, compressors })) as Row[]
  return { metadata, rows }
}

export async function countInParquet(file: string, playerId: string): Promise<number> {
  const { rows } = await readRows(file)
  return rows.filter((row) => holds(row, playerId)).length
}

/**
 * Writes the other rows with the same columns.
 * @returns rows removed; undefined when the others would not be read as they were before
 */
export async function withoutInParquet(
  from: string,
  to: string,
  playerId: string,
): Promise<number | undefined> {
  const { metadata, rows } = await readRows(from)
  const kept = rows.filter((row) => !holds(row, playerId))
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
    return isDeepStrictEqual(written, kept) ? rows.length - kept.length : undefined
  } catch {
    // Of a kind that can be read and not written, nested columns for one: the caller says so.
    return undefined
  }
}
