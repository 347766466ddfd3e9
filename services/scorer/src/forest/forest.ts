// What does a forest say of rows?
import { type Ensemble } from './ensemble.ts'
import { blockRows, createKernelModule } from './kernel.ts'
import { layOut } from './layout.ts'
import { logistic } from './logistic.ts'

export interface Forest {
  /** The probability of churn for each of the row-major rows, to the bit of ONNX Runtime's. */
  score(rows: Float32Array): Float32Array<ArrayBuffer>
}

let kernel: WebAssembly.Module | undefined

/** @throws NoForest when the kernel can't hold it */
export function openForest(ensemble: Ensemble): Forest {
  const { width, base, isLogistic } = ensemble
  const { memory, rows: block, sums } = layOut(ensemble)
  kernel ??= new WebAssembly.Module(createKernelModule())
  const instance = new WebAssembly.Instance(kernel, { forest: { memory } })
  const run = instance.exports['run'] as (count: number) => void
  return {
    score(rows) {
      const count = rows.length / width
      const scores = new Float32Array(count)
      for (let start = 0; start < count; start += blockRows) {
        const n = Math.min(blockRows, count - start)
        block.set(rows.subarray(start * width, (start + n) * width))
        sums.fill(0)
        run(n)
        for (let row = 0; row < n; row++) {
          const margin = Math.fround((sums[row] as number) + base)
          scores[start + row] = isLogistic ? logistic(margin) : margin
        }
      }
      return scores
    },
  }
}
