// How far were the scores from what happened, squared?
import { meanOf, type Labelled, type Measured } from './labelled.ts'

export function brierScore({ scores, churned }: Labelled): Measured {
  return meanOf(
    Float64Array.from(
      { length: scores.length },
      (_, row) => ((scores[row] as number) - (churned[row] as number)) ** 2,
    ),
  )
}
