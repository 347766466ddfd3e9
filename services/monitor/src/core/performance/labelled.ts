// What is a model's performance measured on?

/** Scores and what became of the players, in the same order. 1: churned. */
export interface Labelled {
  readonly scores: ArrayLike<number>
  readonly churned: ArrayLike<number>
}

/** A figure and how sure it is. */
export interface Measured {
  readonly value: number
  readonly standardError: number
}

export function countChurned({ churned }: Labelled): number {
  let count = 0
  for (let index = 0; index < churned.length; index++) count += churned[index] as number
  return count
}

/** Mean and its standard error. */
export function meanOf(values: Float64Array): Measured {
  const n = values.length
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / n
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  return { value: mean, standardError: Math.sqrt(squares / (n - 1) / n) }
}

const z95 = 1.959963984540054

/** The interval that holds the true figure 95 times of 100. */
export const interval95 = ({ value, standardError }: Measured): readonly [number, number] => [
  value - z95 * standardError,
  value + z95 * standardError,
]

/** Row numbers by score, highest first; equal scores in the order of the rows. */
export function byScore(scores: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from({ length: scores.length }, (_, index) => index)
  return order.sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
}
