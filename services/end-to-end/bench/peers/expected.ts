// Is what a contender wrote what XGBoost says, once for each input?
import type { ChurnScore } from '@churnstream/schemas'
import { bandOf } from '@churnstream/scorer'

export const tolerance = 1e-6

/** Scores by where their input stands; NaN where no input stands. */
export type Expected = readonly Float32Array[]

export function expectedOf(
  offsets: readonly (readonly number[])[],
  scores: Float32Array,
): Expected {
  let at = 0
  return offsets.map((own) => {
    const byOffset = new Float32Array((own.at(-1) ?? -1) + 1).fill(Number.NaN)
    for (const offset of own) byOffset[offset] = scores[at++] as number
    return byOffset
  })
}

type Judged = Pick<ChurnScore, 'score' | 'band'>

/** Takes every score of a run; what is wrong is thrown at once, what is missing at the end. */
export class Check {
  readonly #expected: Expected
  readonly #seen: readonly Uint8Array[]
  #count = 0

  constructor(expected: Expected) {
    this.#expected = expected
    this.#seen = expected.map(({ length }) => new Uint8Array(length))
  }

  /** @throws Error unless it is the first score of this input, and the right one */
  take(partition: number, offset: number, { score, band }: Judged): void {
    const right = this.#expected[partition]?.[offset] ?? Number.NaN
    const place = `offset ${offset} of partition ${partition}`
    if (!(Math.abs(score - right) <= tolerance)) {
      throw new Error(`${place} has the score ${score}, and XGBoost says ${right}`)
    }
    if (band !== bandOf(score)) throw new Error(`${place} has the score ${score} and is ${band}`)
    const seen = this.#seen[partition] as Uint8Array
    if (seen[offset] === 1) throw new Error(`${place} was scored twice`)
    seen[offset] = 1
    this.#count++
  }

  /** @throws Error when an input has no score */
  assertComplete(): void {
    const inputs = this.#expected.reduce(
      (sum, own) =>
        sum + own.reduce((count, score) => (Number.isNaN(score) ? count : count + 1), 0),
      0,
    )
    if (this.#count !== inputs) throw new Error(`${this.#count} of ${inputs} inputs were scored`)
  }
}
