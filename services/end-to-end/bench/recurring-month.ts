// How does a fixed population go on for ever, each month as the one before?
import type { Step } from '@churnstream/simulator'

/**
 * The steps of some days again and again, each time later by as many days and with event ids of its own:
 * no player is new, none has more history than a month before.
 */
export function* recurring(steps: readonly Step[], periodMs: number): Generator<Step, never> {
  for (let round = 1; ; round++) {
    const laterMs = round * periodMs
    for (const step of steps) yield later(step, laterMs, round)
  }
}

function later(step: Step, laterMs: number, round: number): Step {
  const deliverAt = step.deliverAt + laterMs
  if (!('event' in step)) return { deliverAt, clockAt: step.clockAt + laterMs }
  const { event } = step
  const eventId = `${event.eventId}-${round}`
  return { deliverAt, event: { ...event, eventId, occurredAt: event.occurredAt + laterMs } }
}
