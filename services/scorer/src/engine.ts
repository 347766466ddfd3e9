// How does the main thread use a scoring thread?
import { Worker } from 'node:worker_threads'
import type { LoadableModel, WorkerRequest, WorkerResponse } from './worker.ts'

/** A loaded model could not score a batch. The thread lives on. */
export class RunFailed extends Error {
  override name = 'RunFailed'
}

export interface Scored {
  /** Probability of churn for each row. */
  readonly scores: Float32Array
  /** Processor time of the thread, in microseconds. */
  readonly microseconds: number
}

export interface Engine {
  /** Opens a model under a number of the engine's choosing. @throws RunFailed when it can't be */
  load(model: LoadableModel): Promise<number>
  /** Row-major float32 rows; their buffer moves to the thread. @throws RunFailed */
  score(model: number, rows: Float32Array<ArrayBuffer>, width: number): Promise<Scored>
  release(model: number): Promise<void>
  /** Rows that were given and are not scored yet. */
  readonly pendingRows: number
  close(): Promise<void>
}

type Asked = WorkerRequest extends infer R
  ? R extends { id: number }
    ? Omit<R, 'id'>
    : never
  : never

/** @param onCrash the thread ended by itself: a bug, or no memory left */
export function createEngine(name: string, onCrash: (error: Error) => void): Engine {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { name })
  const waiting = new Map<number, PromiseWithResolvers<Scored>>()
  let nextId = 1
  let nextModel = 1
  let pendingRows = 0
  let ended: Error | undefined

  worker.on('message', (response: WorkerResponse) => {
    const asked = waiting.get(response.id)
    waiting.delete(response.id)
    if ('error' in response) asked?.reject(new RunFailed(response.error))
    else asked?.resolve(response)
  })
  const end = (error: Error): void => {
    if (ended) return
    ended = error
    for (const asked of waiting.values()) asked.reject(ended)
    waiting.clear()
    onCrash(error)
  }
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`the thread ${name} ended with status ${code}`)))

  function ask(request: Asked, transfer: ArrayBuffer[] = []): Promise<Scored> {
    if (ended) return Promise.reject(ended)
    const id = nextId++
    const asked = Promise.withResolvers<Scored>()
    waiting.set(id, asked)
    worker.postMessage({ id, ...request }, transfer)
    return asked.promise
  }

  return {
    async load({ onnx, width, runner }) {
      const model = nextModel++
      await ask({ kind: 'load', model, onnx, width, runner })
      return model
    },
    async score(model, rows, width) {
      const count = rows.length / width
      pendingRows += count
      try {
        return await ask({ kind: 'score', model, rows }, [rows.buffer])
      } finally {
        pendingRows -= count
      }
    },
    async release(model) {
      await ask({ kind: 'release', model })
    },
    get pendingRows() {
      return pendingRows
    },
    async close() {
      ended ??= new Error(`the thread ${name} is closed`)
      await worker.terminate()
    },
  }
}
