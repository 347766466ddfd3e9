// Which simulated stream is played, and how is a part of it taken so that the rest can follow?
import { simulate, type Step } from '@churnstream/simulator'

const dayMs = 86_400_000
const historyDays = 365
const signUpDays = 30
/** A simulated day lasts about as long as this many players take. */
const playersPerEventASecond = 25
export const clockEveryMs = 3_600_000

/** The year that ends now, of as many players as the rate wants. */
export function lastYear(seed: number, ratePerSecond: number): ReturnType<typeof simulate> {
  const endAt = Date.now()
  return simulate({
    seed,
    players: ratePerSecond * playersPerEventASecond,
    startAt: endAt - historyDays * dayMs,
    endAt,
    signUpDays,
    clockEveryMs,
  })
}

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
