// How do rows become a Parquet file, a row group at a time?
import type { SchemaElement } from 'hyparquet'
import { ParquetWriter, fileWriter } from 'hyparquet-writer'
import type { CellType, OutputColumn, OutputRow, OutputValue } from './core/score-row.ts'
import type { RowEncoder } from './row-encoder.ts'

/** Rows held in memory at most. */
const rowGroupRows = 50_000

const elements: Readonly<Record<CellType, Omit<SchemaElement, 'name'>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  double: { type: 'DOUBLE' },
  integer: { type: 'INT64' },
  instant: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
}

export function encodeParquet(file: string, columns: readonly OutputColumn[]): RowEncoder {
  const writer = new ParquetWriter({
    writer: fileWriter(file),
    schema: [
      { name: 'root', num_children: columns.length },
      ...columns.map(({ name, type }): SchemaElement => ({
        name,
        repetition_type: 'OPTIONAL',
        ...elements[type],
      })),
    ],
    createdBy: 'churnstream',
  })
  let pending: OutputRow[] = []

  async function flush(): Promise<void> {
    const rows = pending
    pending = []
    await writer.write({
      columnData: columns.map(({ name, type }, index) => ({
        name,
        data: rows.map((row) => toParquet(type, row[index] ?? null)),
      })),
      rowGroupSize: rowGroupRows,
    })
  }

  return {
    async write(rows) {
      for (const row of rows) {
        pending.push(row)
        if (pending.length === rowGroupRows) await flush()
      }
    },
    async finish() {
      if (pending.length > 0) await flush()
      await writer.finish()
    },
  }
}

function toParquet(type: CellType, value: OutputValue): unknown {
  if (value === null) return null
  if (type === 'integer') return BigInt(value)
  return type === 'instant' ? new Date(value) : value
}
