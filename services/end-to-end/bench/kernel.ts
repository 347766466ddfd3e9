// npm run bench -- kernel: what does a row cost in the forest kernel, ONNX Runtime and XGBoost?
import { openRunner, type Runner } from '@churnstream/scorer'
import { findPython, venvPython } from '@churnstream/topology/local'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const rounds = 5
const rowsPerRound = 20_000
const mostCalls = 1_000
/** Rows a call: of the first model all of them, of the others one. */
const sizes = [1, 16, 256, 1_024, 10_000]
const usualSize = 1_024

/** Processor time of one thread each, in turn: what else the computer does falls on all three. */
export async function benchKernel(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, signal, onProgress } = options
  onProgress('XGBoost trains the models')
  await using xgboost = await openXgboost(dataDir, signal)
  const { models, width } = xgboost
  const figures: Record<string, number | string> = {}
  for (const [model, name] of models.entries()) {
    const onnx = readFileSync(join(dataDir, `${model}.onnx`))
    const rows = new Float32Array(readFileSync(join(dataDir, `${model}.rows`)).buffer)
    const forest = await openRunner('forest', onnx, width)
    const onnxRuntime = await openRunner('onnxruntime', onnx, width)
    await assertSame(name, rows, forest, onnxRuntime)
    for (const size of model === 0 ? sizes : [usualSize]) {
      const some = rows.slice(0, size * width)
      const calls = Math.min(mostCalls, Math.ceil(rowsPerRound / size))
      const costs: [number, number, number][] = []
      for (let round = 0; round < rounds; round++) {
        signal.throwIfAborted()
        costs.push([
          await costOf(() => forest.score(some), calls, size),
          await costOf(() => onnxRuntime.score(some), calls, size),
          await xgboost.cost(model, size, calls),
        ])
      }
      const key = `${name}, ${size} rows a call`
      onProgress(key)
      const median = (of: (cost: [number, number, number]) => number): number =>
        Number((costs.map(of).sort((a, b) => a - b)[(rounds - 1) / 2] as number).toFixed(2))
      figures[`${key}: forest, µs a row`] = median(([ours]) => ours)
      figures[`${key}: ONNX Runtime, µs a row`] = median(([, theirs]) => theirs)
      figures[`${key}: XGBoost, µs a row`] = median(([, , theirs]) => theirs)
      figures[`${key}: forest / ONNX Runtime`] = median(([ours, theirs]) => ours / theirs)
      figures[`${key}: forest / XGBoost`] = median(([ours, , theirs]) => ours / theirs)
    }
    await onnxRuntime.release()
  }
  return figures
}

/** Anything else would compare nothing. */
async function assertSame(
  name: string,
  rows: Float32Array,
  forest: Runner,
  onnxRuntime: Runner,
): Promise<void> {
  const [ours, theirs] = [await forest.score(rows), await onnxRuntime.score(rows)]
  const row = ours.findIndex((score, index) => score !== theirs[index])
  if (row >= 0) throw new Error(`${name}: row ${row} has ${ours[row]} and ${theirs[row]}`)
}

async function costOf(score: () => Promise<unknown>, calls: number, size: number): Promise<number> {
  const start = process.cpuUsage()
  for (let call = 0; call < calls; call++) await score()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / calls / size
}

interface Xgboost extends AsyncDisposable {
  readonly models: readonly string[]
  readonly width: number
  cost(model: number, size: number, calls: number): Promise<number>
}

async function openXgboost(folder: string, signal: AbortSignal): Promise<Xgboost> {
  const base = await findPython()
  if (base.python === undefined) throw new Error('XGBoost needs Python: npm test says which')
  const child = spawn(venvPython(base.version), [here('kernel_baseline.py'), folder], {
    env: { ...process.env, PYTHONPATH: here('../../training'), OMP_NUM_THREADS: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  })
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => undefined)
  child.on('error', ended.reject)
  child.on('exit', (code) => ended.reject(new Error(`XGBoost ended with status ${code}`)))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const answer = async <T>(): Promise<T> => {
    const { value } = await Promise.race([lines.next(), ended.promise])
    return JSON.parse(String(value)) as T
  }
  const { models, width } = await answer<{ models: string[]; width: number }>()
  return {
    models,
    width,
    async cost(model, size, calls) {
      child.stdin.write(`${model} ${size} ${calls}\n`)
      return answer<number>()
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await ended.promise.catch(() => undefined)
    },
  }
}
