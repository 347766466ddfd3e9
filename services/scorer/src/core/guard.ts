// Has a champion that has just taken over left its guard?
import { ScoreHistogram, stabilityIndex } from './histogram.ts'

export interface GuardSettings {
  /** How long after a swap the guard watches. */
  readonly windowMs: number
  /** Share of rows that could not be scored, above which the guard trips. */
  readonly maxErrorShare: number
  /** Processor time a row may cost, in microseconds. */
  readonly maxMicrosecondsPerRow: number
  /** Stability index against the version before, on the same rows. */
  readonly maxScoreShift: number
  /** The guard says nothing of fewer rows than this. */
  readonly minRows: number
}

const minFailedRuns = 3

export interface Breach {
  readonly reason: 'guard-errors' | 'guard-latency' | 'guard-scores'
  readonly detail: string
}

/**
 * Watches one champion from its swap on. Its scores are held against those of the version before on
 * the same rows, so that a change of the traffic is not taken for a change of the model.
 */
export class Guard {
  readonly #settings: GuardSettings
  readonly #beganAt: number
  readonly #scores = new ScoreHistogram()
  readonly #scoresBefore = new ScoreHistogram()
  #rows = 0
  #failedRows = 0
  #failedRuns = 0
  #microseconds = 0
  #tripped = false

  /** @param beganAt instant of the swap, in milliseconds */
  constructor(settings: GuardSettings, beganAt: number) {
    this.#settings = settings
    this.#beganAt = beganAt
  }

  /** Whether there is still anything to watch for. */
  isOpen(nowMs: number): boolean {
    return !this.#tripped && nowMs - this.#beganAt < this.#settings.windowMs
  }

  /** Whether it was watched to the end and nothing was found. */
  stood(nowMs: number): boolean {
    return !this.#tripped && !this.isOpen(nowMs)
  }

  scored(rows: number, microseconds: number): void {
    this.#rows += rows
    this.#microseconds += microseconds
  }

  failed(rows: number): void {
    this.#failedRows += rows
    this.#failedRuns++
  }

  /** Scores of the same rows by this version and by the one before. */
  compared(scores: ArrayLike<number>, scoresBefore: ArrayLike<number>): void {
    for (let index = 0; index < scoresBefore.length; index++) {
      this.#scores.add(scores[index] as number)
      this.#scoresBefore.add(scoresBefore[index] as number)
    }
  }

  /** The first breach; after it the guard is closed. */
  judge(nowMs: number): Breach | undefined {
    if (!this.isOpen(nowMs)) return undefined
    const breach = this.#breach()
    if (breach !== undefined) this.#tripped = true
    return breach
  }

  #breach(): Breach | undefined {
    const { maxErrorShare, maxMicrosecondsPerRow, maxScoreShift, minRows } = this.#settings
    const all = this.#rows + this.#failedRows
    const errorShare = this.#failedRows / Math.max(1, all)
    // A batch that fails comes again until it is scored: with few players that is few rows.
    const isEnough = all >= minRows || this.#failedRuns >= minFailedRuns
    if (isEnough && errorShare > maxErrorShare) {
      const share = `${(errorShare * 100).toFixed(1)} %`
      return {
        reason: 'guard-errors',
        detail: `${share} of ${all} rows could not be scored, allowed is ${maxErrorShare * 100} %`,
      }
    }
    const microsecondsPerRow = this.#microseconds / Math.max(1, this.#rows)
    if (this.#rows >= minRows && microsecondsPerRow > maxMicrosecondsPerRow) {
      return {
        reason: 'guard-latency',
        detail: `a row cost ${microsecondsPerRow.toFixed(0)} µs over ${this.#rows} rows, allowed is ${maxMicrosecondsPerRow}`,
      }
    }
    const shift = stabilityIndex(this.#scores, this.#scoresBefore)
    if (this.#scores.total >= minRows && shift > maxScoreShift) {
      return {
        reason: 'guard-scores',
        detail: `the scores of ${this.#scores.total} rows shifted by a stability index of ${shift.toFixed(2)} against the version before, allowed is ${maxScoreShift}`,
      }
    }
    return undefined
  }
}
