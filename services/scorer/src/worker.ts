// The scoring thread: holds ONNX sessions and runs batches, because a run blocks its thread.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { parentPort } from 'node:worker_threads'

export type WorkerRequest =
  | { id: number; kind: 'load'; model: number; onnx: Uint8Array }
  | { id: number; kind: 'score'; model: number; rows: Float32Array<ArrayBuffer>; width: number }
  | { id: number; kind: 'release'; model: number }
export type WorkerResponse =
  { id: number; scores?: Float32Array<ArrayBuffer>; width?: number } | { id: number; error: string }

const port = parentPort
if (port === null) throw new Error('worker.ts runs in a worker thread only')

const sessions = new Map<number, InferenceSession>()
/** More rows a call gain nothing and hold more memory. */
const callRows = 256

port.on('message', (request: WorkerRequest) => {
  handle(request).then(
    (response) => port.postMessage(response, response.scores ? [response.scores.buffer] : []),
    (error: unknown) =>
      port.postMessage({ id: request.id, error: String(error) } satisfies WorkerResponse),
  )
})

async function handle(
  request: WorkerRequest,
): Promise<{ id: number; scores?: Float32Array<ArrayBuffer>; width?: number }> {
  const { id, model } = request
  if (request.kind === 'load') {
    const session = await InferenceSession.create(request.onnx, {
      executionMode: 'sequential',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      // The default pool spins and takes a whole core at 50 small calls a second.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    })
    if (!session.outputNames.includes('probabilities')) {
      await session.release()
      throw new Error(
        `the model has no output "probabilities" but ${session.outputNames.join(', ')}`,
      )
    }
    sessions.set(model, session)
    return { id }
  }
  const session = sessions.get(model)
  if (session === undefined) throw new Error(`model ${model} is not loaded in this thread`)
  if (request.kind === 'release') {
    sessions.delete(model)
    await session.release()
    return { id }
  }
  return { id, scores: await score(session, request.rows, request.width) }
}

async function score(
  session: InferenceSession,
  rows: Float32Array,
  width: number,
): Promise<Float32Array<ArrayBuffer>> {
  const count = rows.length / width
  const scores = new Float32Array(count)
  const input = session.inputNames[0] as string
  for (let start = 0; start < count; start += callRows) {
    const n = Math.min(callRows, count - start)
    const part = rows.subarray(start * width, (start + n) * width)
    const outputs = await session.run({ [input]: new Tensor('float32', part, [n, width]) }, [
      'probabilities',
    ])
    const probabilities = outputs['probabilities']?.data as Float32Array
    if (probabilities.length !== n * 2) {
      throw new Error(`expected ${n} × 2 probabilities, got ${probabilities.length} values`)
    }
    for (let i = 0; i < n; i++) scores[start + i] = probabilities[i * 2 + 1] as number
  }
  return scores
}
