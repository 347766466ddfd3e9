// A scoring thread: holds ONNX sessions and runs batches, because a run blocks its thread.
import { parentPort } from 'node:worker_threads'
import { openSession, scoreRows, type InferenceSession } from './session.ts'

export type WorkerRequest =
  | { id: number; kind: 'load'; model: number; onnx: Uint8Array }
  | { id: number; kind: 'score'; model: number; rows: Float32Array<ArrayBuffer>; width: number }
  | { id: number; kind: 'release'; model: number }
export type WorkerResponse =
  | { id: number; scores: Float32Array<ArrayBuffer>; microseconds: number }
  | { id: number; error: string }

const port = parentPort
if (port === null) throw new Error('worker.ts runs in a worker thread only')

const sessions = new Map<number, InferenceSession>()

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
    sessions.set(model, await openSession(request.onnx))
    return new Float32Array()
  }
  const session = sessions.get(model)
  if (session === undefined) throw new Error(`model ${model} is not loaded in this thread`)
  if (request.kind === 'release') {
    sessions.delete(model)
    await session.release()
    return new Float32Array()
  }
  return scoreRows(session, request.rows, request.width)
}
