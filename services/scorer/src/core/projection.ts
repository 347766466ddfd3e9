// Which number of a feature vector goes into which column of a model?
import { catalogue, type FeatureName, type FeatureVector } from '@churnstream/schemas'

type Reader = (vector: FeatureVector) => number

/** A model's columns cannot be filled from the catalogue. */
export class ProjectionProblem {
  readonly columns: readonly string[]
  constructor(columns: readonly string[]) {
    this.columns = columns
  }
  get detail(): string {
    return (
      `no feature of the catalogue fills: ${this.columns.join(', ')}. A column is a numeric ` +
      'feature by name, or <categorical feature>_<level>'
    )
  }
}

/** Fills rows of a fixed width, in a model's column order. */
export class Projection {
  readonly width: number
  readonly #readers: readonly Reader[]

  private constructor(readers: readonly Reader[]) {
    this.#readers = readers
    this.width = readers.length
  }

  static of(columns: readonly string[]): Projection | ProjectionProblem {
    const readers = columns.map(readerOf)
    const unfilled = columns.filter((_, index) => readers[index] === undefined)
    if (unfilled.length > 0) return new ProjectionProblem(unfilled)
    return new Projection(readers as Reader[])
  }

  /** Row-major float32 values; what is not known is NaN, which the model routes its own way. */
  rows(vectors: readonly FeatureVector[]): Float32Array {
    const rows = new Float32Array(vectors.length * this.width)
    let at = 0
    for (const vector of vectors) {
      for (const read of this.#readers) rows[at++] = read(vector)
    }
    return rows
  }
}

function readerOf(column: string): Reader | undefined {
  const feature = catalogue.find(({ name }) => name === column)
  if (feature?.type === 'double') {
    const name = feature.name as FeatureName
    return (vector) => (vector[name] as number | null) ?? NaN
  }
  const categorical = catalogue.find(
    ({ name, type }) => type === 'string' && column.startsWith(`${name}_`),
  )
  if (categorical === undefined) return undefined
  const name = categorical.name as FeatureName
  const level = column.slice(name.length + 1)
  return (vector) => (vector[name] === level ? 1 : 0)
}
