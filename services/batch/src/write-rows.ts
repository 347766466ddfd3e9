// Where do rows go, and when are they there?
import { stat } from 'node:fs/promises'
import { toOutputRow, scoreColumns } from './core/score-row.ts'
import type { OutputColumn, OutputRow, ScoreRow } from './core/score-row.ts'
import { UsageError } from './exit.ts'
import type { RowEncoder } from './row-encoder.ts'
import { fileTrouble, openDraft, sha256Of } from './files.ts'
import type { Installation } from './installation.ts'
import { encodeCsv, encodeJsonLines } from './write-lines.ts'
import { encodeParquet } from './write-parquet.ts'

export interface Written {
  readonly rows: number
  readonly sha256: string
  readonly sizeBytes: number
}

/** Disposed of without finish, it leaves nothing behind. */
export interface RowWriter<R> extends AsyncDisposable {
  readonly rows: number
  write(rows: readonly R[]): Promise<void>
  /** All rows are written and nothing can be seen yet. */
  close(): Promise<Written>
  /** Seen as a whole under its name from now on; closes it if need be. */
  finish(): Promise<Written>
}

type Encode = (file: string, columns: readonly OutputColumn[]) => RowEncoder

const encoders: readonly { readonly ending: string; readonly encode: Encode }[] = [
  { ending: '.parquet', encode: encodeParquet },
  { ending: '.jsonl', encode: (file, columns) => encodeJsonLines(file, columns, false) },
  { ending: '.jsonl.gz', encode: (file, columns) => encodeJsonLines(file, columns, true) },
  { ending: '.csv', encode: (file, columns) => encodeCsv(file, columns, false) },
  { ending: '.csv.gz', encode: (file, columns) => encodeCsv(file, columns, true) },
]

/** @throws UsageError when the name does not say what to write */
export function checkTarget(target: string): void {
  encoderOf(target)
}

function encoderOf(target: string): Encode {
  const found = encoders.find(({ ending }) => target.endsWith(ending))
  if (found !== undefined) return found.encode
  const endings = encoders.map(({ ending }) => ending).join(', ')
  throw new UsageError(`${target} is no target: its name ends in one of ${endings}`)
}

/**
 * Rows of the given columns into a local file or an object of S3, of the kind that its name says.
 * @throws UsageError, FatalError, TransientError
 */
export async function openRowWriter(
  target: string,
  columns: readonly OutputColumn[],
  installation: Installation,
): Promise<RowWriter<OutputRow>> {
  const encode = encoderOf(target)
  const draft = await openDraft(target, installation)
  const encoder = encode(draft.file, columns)
  let rows = 0
  let closed: Promise<Written> | undefined

  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw fileTrouble(`writing ${target}`, error)
    }
  }
  const close = (): Promise<Written> =>
    (closed ??= attempt(async () => {
      await encoder.finish()
      const { size: sizeBytes } = await stat(draft.file)
      return { rows, sha256: await sha256Of(draft.file), sizeBytes }
    }))
  return {
    get rows() {
      return rows
    },
    async write(batch) {
      await attempt(() => encoder.write(batch))
      rows += batch.length
    },
    close,
    async finish() {
      const written = await close()
      await draft.publish()
      return written
    },
    [Symbol.asyncDispose]: () => draft[Symbol.asyncDispose](),
  }
}

/** Scores, with further columns behind ours where the caller has more to say of a row. */
export async function openScoreWriter<R extends ScoreRow = ScoreRow>(
  target: string,
  installation: Installation,
  more: readonly (OutputColumn & { readonly of: (row: R) => OutputRow[number] })[] = [],
): Promise<RowWriter<R>> {
  const columns = [...scoreColumns, ...more.map(({ name, type }) => ({ name, type }))]
  const writer = await openRowWriter(target, columns, installation)
  return {
    get rows() {
      return writer.rows
    },
    write: (rows) =>
      writer.write(rows.map((row) => [...toOutputRow(row), ...more.map(({ of }) => of(row))])),
    close: () => writer.close(),
    finish: () => writer.finish(),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  }
}
