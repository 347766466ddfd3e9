// What became of all rows, and how are the scores spread?
import type { ScoreRow } from './score-row.ts'

const bins = 20

export interface Summary {
  readonly model: { readonly name: string; readonly version: string; readonly uri: string }
  readonly source: string
  readonly target: string
  readonly batchId: string
  readonly rowsIn: number
  readonly scored: number
  readonly rejected: number
  readonly rejects: Readonly<Record<string, number>>
  readonly score: {
    readonly mean: number
    /** Counts in bins of equal width from 0 to 1. */
    readonly histogram: readonly number[]
  }
  readonly seconds: number
  readonly inputSha256: string
  readonly outputSha256: string
}

export class Tally {
  rowsIn = 0
  scored = 0
  rejected = 0
  #sum = 0
  readonly #histogram = Array.from({ length: bins }, () => 0)
  readonly #rejects = new Map<string, number>()

  add(part: {
    readonly rowsIn: number
    readonly scores: readonly Pick<ScoreRow, 'score'>[]
    readonly rejects: readonly { readonly reason: string }[]
  }): void {
    this.rowsIn += part.rowsIn
    this.scored += part.scores.length
    this.rejected += part.rejects.length
    for (const { score } of part.scores) {
      this.#sum += score
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(score * bins)))
      this.#histogram[bin] = (this.#histogram[bin] as number) + 1
    }
    for (const { reason } of part.rejects) {
      this.#rejects.set(reason, (this.#rejects.get(reason) ?? 0) + 1)
    }
  }

  /** The most frequent first. */
  reasons(): [reason: string, count: number][] {
    return [...this.#rejects].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  }

  summary(rest: Omit<Summary, 'rowsIn' | 'scored' | 'rejected' | 'rejects' | 'score'>): Summary {
    const { model, source, target, batchId, ...others } = rest
    const mean = this.scored === 0 ? 0 : this.#sum / this.scored
    return {
      model,
      source,
      target,
      batchId,
      rowsIn: this.rowsIn,
      scored: this.scored,
      rejected: this.rejected,
      rejects: Object.fromEntries(this.reasons()),
      score: { mean, histogram: this.#histogram },
      ...others,
    }
  }
}
