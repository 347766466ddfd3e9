// What does a forest say of rows?
import { readEnsemble } from './ensemble.ts'
import { blockRows, createKernelModule } from './kernel.ts'
import { layOut } from './layout.ts'
import { logistic } from './logistic.ts'

export interface Forest {
  /** Of each of the row-major rows, what ONNX Runtime answers. */
  score(rows: Float32Array): Float32Array<ArrayBuffer>
}

let kernel: WebAssembly.Module | undefined

/** @throws NoForest when the file is none, or one that the kernel can't hold */
export function openForest(onnx: Uint8Array, width: number): Forest {
  const ensemble = readEnsemble(onnx, width)
  const { memory, rows: block, sums } = layOut(ensemble)
  kernel ??= new WebAssembly.Module(createKernelModule())
  const instance = new WebAssembly.Instance(kernel, { forest: { memory } })
  const run = instance.exports['run'] as (count: number) => void
  const base = Math.fround(ensemble.base)
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
          scores[start + row] = ensemble.isLogistic ? logistic(margin) : margin
        }
      }
      return scores
    },
  }
}
