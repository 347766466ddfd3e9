// A scoring thread: holds models and runs batches, because a run blocks its thread.
import { parentPort } from 'node:worker_threads'
import { openRunner, type Runner, type RunnerName } from './runner.ts'

export type WorkerRequest =
  | ({ id: number; kind: 'load'; model: number } & LoadableModel)
  | { id: number; kind: 'score'; model: number; rows: Float32Array<ArrayBuffer> }
  | { id: number; kind: 'release'; model: number }
/** What a thread has to know of a model that the gates let through. */
export interface LoadableModel {
  readonly onnx: Uint8Array
  readonly width: number
  readonly runner: RunnerName
}
export type WorkerResponse =
  | { id: number; scores: Float32Array<ArrayBuffer>; microseconds: number }
  | { id: number; error: string }

const port = parentPort
if (port === null) throw new Error('worker.ts runs in a worker thread only')

const models = new Map<number, Runner>()

/** One after the other, so that each request's processor time is its own. */
let working: Promise<void> = Promise.resolve()

port.on('message', (request: WorkerRequest) => {
  working = working.then(() => answer(request))
})

async function answer(request: WorkerRequest): Promise<void> {
  const { id } = request
  const before = process.threadCpuUsage()
  try {
    const scores = await handle(request)
    const { user, system } = process.threadCpuUsage(before)
    send({ id, scores, microseconds: user + system }, [scores.buffer])
  } catch (error) {
    send({ id, error: String(error) })
  }
}

function send(response: WorkerResponse, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(response, transfer)
}

async function handle(request: WorkerRequest): Promise<Float32Array<ArrayBuffer>> {
  const { model } = request
  if (request.kind === 'load') {
    models.set(model, await openRunner(request.runner, request.onnx, request.width))
    return new Float32Array()
  }
  const runner = models.get(model)
  if (runner === undefined) throw new Error(`model ${model} is not loaded in this thread`)
  if (request.kind === 'release') {
    models.delete(model)
    await runner.release()
    return new Float32Array()
  }
  return runner.score(request.rows)
}
