// How do rows become lines of JSON or CSV, gzipped or not?
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { CellType, OutputColumn, OutputRow, OutputValue } from './core/score-row.ts'
import type { RowEncoder } from './row-encoder.ts'

export function encodeJsonLines(
  file: string,
  columns: readonly OutputColumn[],
  isGzipped: boolean,
): RowEncoder {
  const keys = columns.map(({ name }) => `${JSON.stringify(name)}:`)
  return encodeLines<OutputRow>(file, isGzipped, undefined, (row) => {
    const cells = columns.map(
      ({ type }, index) => `${keys[index]}${JSON.stringify(readable(type, row[index] ?? null))}`,
    )
    return `{${cells.join(',')}}\n`
  })
}

export function encodeCsv(
  file: string,
  columns: readonly OutputColumn[],
  isGzipped: boolean,
): RowEncoder {
  const header = `${columns.map(({ name }) => quoted(name)).join(',')}\n`
  return encodeLines<OutputRow>(file, isGzipped, header, (row) => {
    const cells = columns.map(({ type }, index) => {
      const value = readable(type, row[index] ?? null)
      return typeof value === 'string' ? quoted(value) : value === null ? '' : String(value)
    })
    return `${cells.join(',')}\n`
  })
}

/** Nothing is an empty cell, a text without letters is a quoted one. */
const quoted = (text: string): string =>
  text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

const readable = (type: CellType, value: OutputValue): OutputValue =>
  type === 'instant' && typeof value === 'number' ? new Date(value).toISOString() : value

/** @param toLine with its line end */
export function encodeLines<R>(
  file: string,
  isGzipped: boolean,
  header: string | undefined,
  toLine: (row: R) => string,
): RowEncoder<R> {
  const lines = new PassThrough({ highWaterMark: 1 << 20 })
  const written = pipeline([lines, ...(isGzipped ? [createGzip()] : []), createWriteStream(file)])
  // Whoever writes or finishes is told.
  written.catch(() => undefined)
  if (header !== undefined) lines.write(header)
  return {
    async write(rows) {
      if (lines.write(rows.map(toLine).join(''))) return
      await Promise.race([once(lines, 'drain'), written])
    },
    async finish() {
      lines.end()
      await written
    },
  }
}
