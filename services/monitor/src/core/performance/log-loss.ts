// How surprised was the model?
import { meanOf, type Labelled, type Measured } from './labelled.ts'

/** ONNX Runtime's sigmoid reaches 0 exactly; a logarithm must not. */
const least = 1e-7

export const clamped = (score: number): number => Math.min(1 - least, Math.max(least, score))

/** Mean of −ln of the probability given to what happened; scores within [1e-7, 1 − 1e-7]. */
export function logLoss({ scores, churned }: Labelled): Measured {
  return meanOf(
    Float64Array.from({ length: scores.length }, (_, row) => {
      const score = clamped(scores[row] as number)
      return -Math.log(churned[row] === 1 ? score : 1 - score)
    }),
  )
}
