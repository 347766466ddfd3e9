// A process of its own in which a candidate is scored for the first time: it may hang or crash here.
import { callRows, openSession, scoreRows } from './session.ts'

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
      /** Processor time per row, the median over calls of 256 rows. */
      readonly microsecondsPerRow: number
      /** Growth of resident memory from before the session to after the last call. */
      readonly memoryBytes: number
    }
  | { readonly error: string; readonly step: 'open' | 'score' }

const calls = 9

process.once('message', (request: TrialRequest) => {
  void attempt(request).then((result) => {
    process.send?.(result, () => process.disconnect())
  })
})

async function attempt(request: TrialRequest): Promise<TrialResult> {
  const { onnx, rows, width, maxMilliseconds } = request
  let step: 'open' | 'score' = 'open'
  try {
    const before = process.memoryUsage.rss()
    const session = await openSession(onnx)
    step = 'score'
    const scores = await scoreRows(session, rows, width)
    const batch = repeated(rows, callRows * width)
    const costs: number[] = []
    let spent = 0
    while (costs.length < calls && spent < maxMilliseconds * 1_000) {
      const start = process.cpuUsage()
      await scoreRows(session, batch, width)
      const { user, system } = process.cpuUsage(start)
      costs.push((user + system) / callRows)
      spent += user + system
    }
    costs.sort((a, b) => a - b)
    return {
      scores,
      microsecondsPerRow: costs[Math.floor(costs.length / 2)] as number,
      memoryBytes: Math.max(0, process.memoryUsage.rss() - before),
    }
  } catch (error) {
    return { error: String(error), step }
  }
}

function repeated(values: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const filled = new Float32Array(length)
  for (let index = 0; index < length; index++) {
    filled[index] = values[index % values.length] as number
  }
  return filled
}
