// Who scores the rows of a loaded model?
import { readEnsemble } from './forest/ensemble.ts'
import { openForest } from './forest/forest.ts'
import { openSession, scoreRows } from './session.ts'

/** Our own kernel for tree ensembles, or ONNX Runtime for whatever it runs. */
export type RunnerName = 'forest' | 'onnxruntime'

export interface Runner {
  /** Probability of churn for each of the row-major rows. */
  score(rows: Float32Array): Promise<Float32Array<ArrayBuffer>>
  release(): Promise<void>
}

export async function openRunner(
  name: RunnerName,
  onnx: Uint8Array,
  width: number,
): Promise<Runner> {
  if (name === 'forest') {
    const forest = openForest(readEnsemble(onnx, width))
    return { score: async (rows) => forest.score(rows), release: async () => undefined }
  }
  const session = await openSession(onnx)
  return {
    score: (rows) => scoreRows(session, rows, width),
    release: () => session.release(),
  }
}
