// When do clock records stand between events that are sorted by time?
import { clockEvent } from '@churnstream/ingestion'
import type { PlayerActivity } from '@churnstream/schemas'

export const hourMs = 3_600_000

/**
 * The clock records at full hours of event time. An event of the very hour comes before its clock
 * record, which says that event time has reached it.
 */
export class Hours {
  #nextAt: number
  readonly #untilAt: number

  /** From the first full hour after the first event, up to and without untilAt. */
  constructor(firstEventAt: number, untilAt: number) {
    this.#nextAt = (Math.floor(firstEventAt / hourMs) + 1) * hourMs
    this.#untilAt = untilAt
  }

  /** Those not told yet that stand before an event at this time. */
  *before(eventAt: number): Generator<PlayerActivity> {
    const end = Math.min(eventAt, this.#untilAt)
    for (; this.#nextAt < end; this.#nextAt += hourMs) yield clockEvent(this.#nextAt)
  }
}
