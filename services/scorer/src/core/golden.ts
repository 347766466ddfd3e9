// Does a loaded model score as it did where it was trained?

/** Rows with the probabilities that XGBoost gave them at training. A null value is NaN. */
export interface Golden {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (number | null)[])[]
  readonly probabilities: readonly number[]
}

/** Largest difference from XGBoost that still counts as the same model. */
export const probabilityTolerance = 1e-6

/** @throws Error that says what is wrong when the text is no golden file for these columns */
export function parseGolden(text: string, columns: readonly string[]): Golden {
  const golden = JSON.parse(text) as Golden
  if (!Array.isArray(golden.rows) || golden.rows.length === 0) throw new Error('it has no rows')
  if (golden.rows.length !== golden.probabilities.length) {
    throw new Error(`${golden.rows.length} rows but ${golden.probabilities.length} probabilities`)
  }
  if (golden.columns.join() !== columns.join()) throw new Error('its columns are not the model’s')
  const short = golden.rows.findIndex((row) => row.length !== columns.length)
  if (short >= 0) throw new Error(`row ${short} has not ${columns.length} values`)
  return golden
}

export function goldenRows(golden: Golden): Float32Array {
  return Float32Array.from(golden.rows.flat(), (value) => value ?? NaN)
}

/** Largest absolute difference; Infinity when a score is no number. */
export function largestDifference(golden: Golden, scores: ArrayLike<number>): number {
  let largest = 0
  for (const [index, expected] of golden.probabilities.entries()) {
    const difference = Math.abs((scores[index] ?? NaN) - expected)
    if (Number.isNaN(difference)) return Infinity
    largest = Math.max(largest, difference)
  }
  return largest
}
