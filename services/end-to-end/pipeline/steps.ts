// How is a part of a simulated stream taken, so that the rest can be played later?
import type { Step } from '@churnstream/simulator'

/** The steps up to the given number of events. The stream itself is left open. */
export function* firstEvents(steps: Iterator<Step>, events: number): Generator<Step> {
  let taken = 0
  while (taken < events) {
    const { done, value } = steps.next()
    if (done === true) return
    if ('event' in value) taken++
    yield value
  }
}
