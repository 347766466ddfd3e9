// How does the main thread use the scoring thread?
import { Worker } from 'node:worker_threads'
import type { WorkerRequest, WorkerResponse } from './worker.ts'

export interface Engine {
  /** Opens a model under a number of the engine's choosing. @throws Error when it can't be opened */
  load(onnx: Uint8Array): Promise<number>
  /** Probability of churn for each row; the rows' buffer moves to the thread. */
  score(model: number, rows: Float32Array<ArrayBuffer>, width: number): Promise<Float32Array>
  release(model: number): Promise<void>
  close(): Promise<void>
}

type Asked = WorkerRequest extends infer R
  ? R extends { id: number }
    ? Omit<R, 'id'>
    : never
  : never

export function createEngine(): Engine {
  const worker = new Worker(new URL('./worker.ts', import.meta.url))
  const waiting = new Map<number, PromiseWithResolvers<Float32Array>>()
  let nextId = 1
  let nextModel = 1
  let ended: Error | undefined

  worker.on('message', (response: WorkerResponse) => {
    const asked = waiting.get(response.id)
    waiting.delete(response.id)
    if ('error' in response) asked?.reject(new Error(response.error))
    else asked?.resolve(response.scores ?? new Float32Array())
  })
  // A crashed thread is a bug or a lack of memory: whoever waits hears of it and the process ends.
  const end = (error: Error): void => {
    ended ??= error
    for (const asked of waiting.values()) asked.reject(ended)
    waiting.clear()
  }
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`the scoring thread ended with status ${code}`)))

  function ask(request: Asked, transfer: ArrayBuffer[] = []): Promise<Float32Array> {
    if (ended) return Promise.reject(ended)
    const id = nextId++
    const asked = Promise.withResolvers<Float32Array>()
    waiting.set(id, asked)
    worker.postMessage({ id, ...request }, transfer)
    return asked.promise
  }

  return {
    async load(onnx) {
      const model = nextModel++
      await ask({ kind: 'load', model, onnx })
      return model
    },
    score: (model, rows, width) => ask({ kind: 'score', model, rows, width }, [rows.buffer]),
    async release(model) {
      await ask({ kind: 'release', model })
    },
    async close() {
      ended ??= new Error('the engine is closed')
      await worker.terminate()
    },
  }
}
