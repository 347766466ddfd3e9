// How does ONNX Runtime score rows?
import { InferenceSession, Tensor } from 'onnxruntime-node'

export type { InferenceSession }

/** More rows a call gain nothing and hold more memory. */
export const callRows = 256

export function openSession(onnx: Uint8Array): Promise<InferenceSession> {
  return InferenceSession.create(onnx, {
    executionMode: 'sequential',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    // The default pool spins and takes a whole core at 50 small calls a second.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
}

/** Probability of churn for each of the row-major rows. */
export async function scoreRows(
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
