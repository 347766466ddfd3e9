// Does a loaded model score as it did where it was trained?

/** Rows with the probabilities that XGBoost gave them at training. A null value is NaN. */
export interface Golden {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (number | null)[])[]
  readonly probabilities: readonly number[]
  /** Sum over trees of the largest absolute leaf: how far rounding can add up. */
  readonly leafSum?: number
}

const leastTolerance = 1e-6
const mostTolerance = 1e-5
/** A quarter, the steepest the sigmoid gets, of 1e-6 a unit of margin. */
const tolerancePerLeaf = 2.5e-7

/** Largest difference from XGBoost's probability that still counts as the same model. */
export function toleranceOf({ leafSum = 0 }: Pick<Golden, 'leafSum'>): number {
  return Math.min(mostTolerance, Math.max(leastTolerance, tolerancePerLeaf * leafSum))
}

/** @throws Error that says what is wrong when the text is no golden file for these columns */
export function parseGolden(text: string, columns: readonly string[]): Golden {
  const golden = JSON.parse(text) as Partial<Golden> | null
  const { rows, probabilities, columns: named, leafSum } = golden ?? {}
  if (!Array.isArray(named) || !Array.isArray(rows) || !Array.isArray(probabilities)) {
    throw new Error('it needs the lists columns, rows and probabilities')
  }
  if (rows.length === 0) throw new Error('it has no rows')
  if (rows.length !== probabilities.length) {
    throw new Error(`${rows.length} rows but ${probabilities.length} probabilities`)
  }
  if (named.length !== columns.length || columns.some((name, index) => named[index] !== name)) {
    throw new Error('its columns are not the model’s')
  }
  const isValue = (value: unknown) => value === null || typeof value === 'number'
  const odd = rows.findIndex(
    (row: unknown) => !Array.isArray(row) || row.length !== columns.length || !row.every(isValue),
  )
  if (odd >= 0) throw new Error(`row ${odd} is not ${columns.length} numbers or nulls`)
  if (!probabilities.every((value) => Number.isFinite(value))) {
    throw new Error('a probability is no number')
  }
  if (leafSum !== undefined && !(leafSum >= 0)) throw new Error('leafSum is no positive number')
  return golden as Golden
}

export function goldenRows(golden: Golden): Float32Array<ArrayBuffer> {
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
