// A process of its own in which a candidate is scored for the first time: it may hang or crash here.
import { edgeRows } from './forest/edge-rows.ts'
import { readEnsemble } from './forest/ensemble.ts'
import { openForest, type Forest } from './forest/forest.ts'
import { openRunner, type Runner, type RunnerName } from './runner.ts'
import { callRows } from './session.ts'

export interface TrialRequest {
  readonly onnx: Uint8Array
  /** Row-major rows of the golden file. */
  readonly rows: Float32Array<ArrayBuffer>
  readonly width: number
  /** Stop measuring after this much processor time. */
  readonly maxMilliseconds: number
}

export type TrialResult =
  | {
      readonly scores: Float32Array
      /** The cheaper one of those that answer alike. */
      readonly runner: RunnerName
      /** Why it is not the forest; empty when it is. */
      readonly whyNoForest: string
      /** Processor time, the median over calls of 256 rows; of the forest only where it may serve. */
      readonly microsecondsPerRow: Readonly<{ onnxruntime: number; forest?: number }>
      /** Growth of resident memory from before the runner to after its first calls. */
      readonly memoryBytes: number
    }
  | { readonly error: string; readonly step: 'open' | 'score' }

const calls = 9
/** Made-up rows on which the forest must answer as ONNX Runtime does. */
const edgeCount = 2_048
/** Two in the last place below one: what the logistic function may differ by on another system. */
const maxDifference = 2 ** -23
/** Reading takes some hundred milliseconds a megabyte when nothing is warm yet. */
const maxForestBytes = 16 * 1024 * 1024

process.once('message', (request: TrialRequest) => {
  void attempt(request).then((result) => {
    process.send?.(result, () => process.disconnect())
  })
})

async function attempt(request: TrialRequest): Promise<TrialResult> {
  const { onnx, rows, width } = request
  let step: 'open' | 'score' = 'open'
  try {
    const atStart = process.memoryUsage.rss()
    const tried = tryForest(request)
    const afterForest = process.memoryUsage.rss()
    const oracle = await openRunner('onnxruntime', onnx, width)
    step = 'score'
    const scores = await oracle.score(rows)
    const differs = 'why' in tried ? tried.why : await differenceOf(tried, oracle)
    const equal = 'why' in tried || differs !== undefined ? undefined : tried
    const microsecondsPerRow = await measure(request, oracle, equal?.forest)
    const atEnd = process.memoryUsage.rss()
    const { onnxruntime, forest: ours = Infinity } = microsecondsPerRow
    if (equal !== undefined && ours < onnxruntime) {
      return {
        scores: equal.scores.slice(0, rows.length / width),
        runner: 'forest',
        whyNoForest: '',
        microsecondsPerRow,
        memoryBytes: Math.max(0, afterForest - atStart),
      }
    }
    return {
      scores,
      runner: 'onnxruntime',
      whyNoForest: differs ?? 'it is slower',
      microsecondsPerRow,
      memoryBytes: Math.max(0, atEnd - afterForest),
    }
  } catch (error) {
    return { error: String(error), step }
  }
}

/** The golden rows come first among the probes. */
interface Probed {
  readonly forest: Forest
  readonly probes: Float32Array
  readonly scores: Float32Array
}
type Tried = Probed | { readonly why: string }

/** Whatever goes wrong with it, ONNX Runtime can serve. */
function tryForest({ onnx, rows, width }: TrialRequest): Tried {
  if (onnx.length > maxForestBytes) return { why: `its file has ${onnx.length} bytes` }
  try {
    const ensemble = readEnsemble(onnx, width)
    const probes = new Float32Array(rows.length + edgeCount * width)
    probes.set(rows)
    probes.set(edgeRows(ensemble, rows, edgeCount), rows.length)
    const forest = openForest(ensemble)
    return { forest, probes, scores: forest.score(probes) }
  } catch (error) {
    return { why: String(error) }
  }
}

/** @returns undefined when they answer alike */
async function differenceOf(
  { probes, scores: ours }: Probed,
  oracle: Runner,
): Promise<string | undefined> {
  const theirs = await oracle.score(probes)
  const row = ours.findIndex((score, index) => {
    const expected = theirs[index] as number
    return !(Object.is(score, expected) || Math.abs(score - expected) <= maxDifference)
  })
  if (row < 0) return undefined
  return `row ${row} of those made up has ${ours[row]}, ONNX Runtime says ${theirs[row]}`
}

/** In turn, so that what else the computer does falls on both. */
async function measure(
  { rows, width, maxMilliseconds }: TrialRequest,
  oracle: Runner,
  forest: Forest | undefined,
): Promise<{ onnxruntime: number; forest?: number }> {
  const batch = repeated(rows, callRows * width)
  const costs: Record<RunnerName, number[]> = { onnxruntime: [], forest: [] }
  let spent = 0
  const timed = async (name: RunnerName, run: () => unknown): Promise<void> => {
    const start = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(start)
    costs[name].push((user + system) / callRows)
    spent += user + system
  }
  while (costs.onnxruntime.length < calls && spent < maxMilliseconds * 1_000) {
    await timed('onnxruntime', () => oracle.score(batch))
    if (forest !== undefined) await timed('forest', () => forest.score(batch))
  }
  const onnxruntime = medianOf(costs.onnxruntime)
  return forest === undefined ? { onnxruntime } : { onnxruntime, forest: medianOf(costs.forest) }
}

function medianOf(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function repeated(values: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const filled = new Float32Array(length)
  for (let index = 0; index < length; index++) {
    filled[index] = values[index % values.length] as number
  }
  return filled
}
