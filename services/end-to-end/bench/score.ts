// npm run bench -- score: how fast are files of rows scored, in how much memory, and against Python?
import { openInstallation, openRowWriter, type OutputColumn } from '@churnstream/batch'
import { createRandom } from '@churnstream/simulator'
import { findPython, venvPython } from '@churnstream/topology/local'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { watched, type Watched } from './watched.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const main = here('../../batch/src/main.ts')
const baseline = here('score_baseline.py')
const model = here('../golden/model')
const seed = 20_261_116
const asOf = Date.UTC(2026, 10, 16)
const rowsPerWrite = 5_000

interface Run extends Omit<Watched, 'output'> {
  readonly rows: number
  readonly mean: number
}

/** @param rows in each file */
export async function benchScore(options: {
  readonly dataDir: string
  readonly rows: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, rows, signal, onProgress } = options
  const base = await findPython()
  const python = base.python === undefined ? undefined : venvPython(base.version)
  const figures: Record<string, number | string> = {}
  for (const kind of ['csv', 'parquet']) {
    const source = join(dataDir, `rows.${kind}`)
    await writeRows(source, rows, signal)
    const megabytes = Math.round(statSync(source).size / 1e6)
    onProgress(`${source}: ${rows} rows, ${megabytes} MB`)
    const ours = await runOurs(source, join(dataDir, `scores-${kind}.parquet`), signal)
    onProgress(`${kind}: ${ours.seconds.toFixed(1)} s`)
    figures[`${kind}: size, MB`] = megabytes
    figures[`${kind}: seconds`] = round(ours.seconds, 1)
    figures[`${kind}: processor seconds`] = round(ours.processorSeconds, 1)
    figures[`${kind}: rows/s`] = Math.round(ours.rows / ours.seconds)
    figures[`${kind}: peak memory, MB`] = Math.round(ours.peakRssBytes / 1e6)
    if (python === undefined || !existsSync(python)) continue
    const theirs = await runBaseline(python, source, join(dataDir, 'baseline.parquet'), signal)
    // The same rows and the same model: anything else would compare nothing.
    if (theirs.rows !== ours.rows || !(Math.abs(theirs.mean - ours.mean) < 1e-6)) {
      throw new Error(`mean score ${ours.mean} and ${theirs.mean} by Python`)
    }
    figures[`${kind}: seconds by pandas and ONNX Runtime`] = round(theirs.seconds, 1)
    figures[`${kind}: its processor seconds`] = round(theirs.processorSeconds, 1)
    figures[`${kind}: its peak memory, MB`] = Math.round(theirs.peakRssBytes / 1e6)
    figures[`${kind}: rows/s against it`] = round(theirs.seconds / ours.seconds, 2)
  }
  return figures
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Made of the rows that the model was tested with, each number a little off. */
async function writeRows(target: string, count: number, signal: AbortSignal): Promise<void> {
  const golden = JSON.parse(readFileSync(join(model, 'golden.json'), 'utf8')) as {
    columns: string[]
    rows: (number | null)[][]
  }
  const isOneHot = golden.columns.map((name) =>
    /^(market|acquisition_source|first_product)_/.test(name),
  )
  // Golden rows that no file may have: nothing in a one-hot column, or beyond float32.
  const samples = golden.rows.filter((row) =>
    row.every((value, column) => (value === null ? !isOneHot[column] : Math.abs(value) < 1e30)),
  )
  const columns: OutputColumn[] = [
    { name: 'player_id', type: 'text' },
    { name: 'as_of', type: 'instant' },
    ...golden.columns.map((name) => ({ name, type: 'double' as const })),
  ]
  const random = createRandom(seed)
  await using installation = openInstallation({})
  await using writer = await openRowWriter(target, columns, installation)
  for (let from = 0; from < count; from += rowsPerWrite) {
    signal.throwIfAborted()
    const length = Math.min(rowsPerWrite, count - from)
    const rows = Array.from({ length }, (_, index) => {
      const sample = samples[Math.floor(random.uniform() * samples.length)] ?? []
      const cells = sample.map((value, column) =>
        value === null || isOneHot[column] || Number.isInteger(value)
          ? value
          : value * (0.9 + random.uniform() / 5),
      )
      return [`player-${from + index}`, asOf, ...cells]
    })
    await writer.write(rows)
  }
  await writer.finish()
}

async function runOurs(source: string, target: string, signal: AbortSignal): Promise<Run> {
  const { output, ...rest } = await watched(
    process.execPath,
    [main, source, '--model', model, '--to', target, '--json'],
    signal,
  )
  const { scored, score } = JSON.parse(output) as { scored: number; score: { mean: number } }
  return { ...rest, rows: scored, mean: score.mean }
}

async function runBaseline(
  python: string,
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<Run> {
  const { output, ...rest } = await watched(python, [baseline, model, source, target], signal)
  return { ...rest, ...(JSON.parse(output) as Pick<Run, 'rows' | 'mean'>) }
}
