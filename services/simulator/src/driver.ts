// How does the stream reach the outside, at a given rate and without losing an event?
import { setTimeout as wait } from 'node:timers/promises'
import { messageOf, TransientError } from '@churnstream/runtime/errors'
import type { PlayerActivity } from '@churnstream/schemas'
import type { Step } from './core/population.ts'

/** What became of one event, in the request's order. */
export type Verdict =
  | {
      readonly eventId: string
      readonly status: 'accepted'
      readonly partition: number
      readonly offset: number | string
    }
  | {
      readonly eventId: string
      readonly status: 'rejected'
      readonly reason: string
      readonly field?: string | null
      readonly message?: string
    }

/** Throws TransientError when the same events should be sent again; any other error ends the drive. */
export type Post = (
  events: readonly PlayerActivity[],
  signal: AbortSignal,
) => Promise<readonly Verdict[]>

/** Monotonic milliseconds, and a way to let them pass. Tests hand in their own. */
export interface Time {
  now(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemTime: Time = {
  now: () => performance.now(),
  sleep: (ms, signal) => wait(ms, undefined, { signal }),
}

/** One batch that got its verdicts; the times are the Time's. */
export interface Acknowledgement {
  readonly events: readonly PlayerActivity[]
  readonly verdicts: readonly Verdict[]
  /** When the batch's first event should have left: latency from here hides no queueing. */
  readonly dueAt: number
  readonly sentAt: number
  readonly acknowledgedAt: number
}

export interface DriveOptions {
  readonly steps: Iterable<Step>
  readonly ratePerSecond: number
  readonly post: Post
  /** Called once for each clock step, in order, when all events before it are acknowledged. */
  readonly writeClock: (atMs: number) => Promise<void> | void
  readonly signal?: AbortSignal
  readonly onAcknowledged?: (acknowledgement: Acknowledgement) => void
  /** At most so many events in a request; 200 unless told. */
  readonly batchSize?: number
  /** At most so many requests at once; 8 unless told. One keeps the order of delivery. */
  readonly concurrency?: number
  /** How long events may gather into a batch; 15 unless told. */
  readonly tickMs?: number
  readonly time?: Time
}

export interface DriveReport {
  readonly sent: number
  readonly acknowledged: number
  readonly rejected: number
  readonly rejectedByReason: Readonly<Record<string, number>>
  /** Requests sent again. */
  readonly retried: number
  readonly clocks: number
  /** Event time of the newest clock step written; null when none was. */
  readonly lastClockAt: number | null
  /** How far the newest batch, and the worst one, left after its time. */
  readonly behindMs: number
  readonly worstBehindMs: number
  readonly elapsedMs: number
  readonly aborted: boolean
}

const backoffMs = { first: 50, most: 5000 }
const reasonsKept = 32
const clocksWaiting = 64

/**
 * Open loop: event n is due n / ratePerSecond after the start, however slow the answers are. A full
 * window of requests delays what follows, which the report then calls behind schedule. Waits for a
 * receiver that is away until the signal aborts; every single wait is bounded.
 */
export async function drive(options: DriveOptions): Promise<DriveReport> {
  const { ratePerSecond, post, writeClock, onAcknowledged, time = systemTime } = options
  const { batchSize = 200, concurrency = 8, tickMs = 15 } = options
  for (const [name, value] of Object.entries({ ratePerSecond, batchSize, concurrency, tickMs })) {
    if (!(value > 0)) throw new RangeError(`${name} must be positive: ${value}`)
  }
  // Ends every wait: by the caller's abort, or by the first failure that no retry mends.
  const stop = new AbortController()
  const { signal } = stop
  // One waiter (the loop below), many things that may wake it. Racing the pending promises instead
  // would hang a reaction on each of them every time.
  let wake = () => {}
  const change = () => new Promise<void>((resolve) => (wake = resolve))
  signal.addEventListener('abort', () => wake(), { once: true })
  const abort = () => stop.abort(options.signal?.reason)
  if (options.signal?.aborted) abort()
  options.signal?.addEventListener('abort', abort, { once: true })
  let failure: { readonly error: unknown } | undefined
  const fail = (error: unknown) => {
    if (signal.aborted) return
    failure = { error }
    stop.abort(error)
  }

  const rejectedByReason: Record<string, number> = {}
  let sent = 0
  let acknowledged = 0
  let rejected = 0
  let retried = 0
  let clocks = 0
  let lastClockAt: number | null = null
  let behindMs = 0
  let worstBehindMs = 0
  const startedAt = time.now()
  const dueAt = (n: number) => startedAt + (n * 1000) / ratePerSecond

  const inFlight = new Set<Promise<void>>()
  let waitingClocks = 0
  let lastClock: Promise<void> = Promise.resolve()

  async function deliver(events: readonly PlayerActivity[], due: number): Promise<void> {
    const sentAt = time.now()
    behindMs = Math.max(0, sentAt - due)
    worstBehindMs = Math.max(worstBehindMs, behindMs)
    for (let attempt = 0; ; attempt++) {
      try {
        const verdicts = await post(events, signal)
        if (signal.aborted) return
        if (verdicts.length !== events.length) {
          throw new Error(`sent ${events.length} events, got ${verdicts.length} verdicts`)
        }
        for (const verdict of verdicts) count(verdict)
        onAcknowledged?.({ events, verdicts, dueAt: due, sentAt, acknowledgedAt: time.now() })
        return
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof TransientError)) return fail(error)
        retried++
        const asked = error.retryAfterMs ?? backoffMs.first * 2 ** Math.min(attempt, 10)
        await pause(Math.min(backoffMs.most, asked))
        if (signal.aborted) return
      }
    }
  }

  function count(verdict: Verdict): void {
    if (verdict.status === 'accepted') {
      acknowledged++
      return
    }
    rejected++
    const known = verdict.reason in rejectedByReason
    const full = Object.keys(rejectedByReason).length >= reasonsKept
    const reason = known || !full ? verdict.reason : 'other'
    rejectedByReason[reason] = (rejectedByReason[reason] ?? 0) + 1
  }

  async function pause(ms: number): Promise<void> {
    try {
      await time.sleep(ms, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  let batch: PlayerActivity[] = []
  async function flush(): Promise<void> {
    if (batch.length === 0) return
    while (inFlight.size >= concurrency && !signal.aborted) await change()
    if (signal.aborted) return
    const events = batch
    batch = []
    const due = dueAt(sent)
    sent += events.length
    const delivery: Promise<void> = deliver(events, due).finally(() => {
      inFlight.delete(delivery)
      wake()
    })
    inFlight.add(delivery)
  }

  /** Sending goes on meanwhile; only this clock waits for the events before it. */
  async function scheduleClock(clockAt: number): Promise<void> {
    await flush()
    while (waitingClocks >= clocksWaiting && !signal.aborted) await change()
    const before = [lastClock, ...inFlight]
    waitingClocks++
    lastClock = Promise.all(before)
      .then(async () => {
        if (signal.aborted) return
        await writeClock(clockAt)
        clocks++
        lastClockAt = clockAt
      })
      .catch(fail)
      .finally(() => {
        waitingClocks--
        wake()
      })
  }

  try {
    for (const step of options.steps) {
      if (signal.aborted) break
      if (!('event' in step)) {
        await scheduleClock(step.clockAt)
        continue
      }
      const due = dueAt(sent + batch.length)
      if (time.now() < due) {
        await flush()
        // Waking once a tick, not once an event, is what lets events gather into batches.
        if (!signal.aborted) await pause(Math.max(tickMs, due - time.now()))
      }
      if (signal.aborted) break
      batch.push(step.event)
      if (batch.length >= batchSize) await flush()
    }
    await flush()
    while ((inFlight.size > 0 || waitingClocks > 0) && !signal.aborted) await change()
  } finally {
    options.signal?.removeEventListener('abort', abort)
  }
  if (failure) {
    throw new Error(`driving stopped: ${messageOf(failure.error)}`, { cause: failure.error })
  }
  return {
    sent,
    acknowledged,
    rejected,
    rejectedByReason,
    retried,
    clocks,
    lastClockAt,
    behindMs,
    worstBehindMs,
    elapsedMs: time.now() - startedAt,
    aborted: signal.aborted,
  }
}
