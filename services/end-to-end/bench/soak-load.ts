// How do events come at a rate that does not wait for the answer, for ever, and how long does each wait?
import { dayMs, lateDays } from '@churnstream/features'
import { clockRecords } from '@churnstream/ingestion'
import { Schemas, type ChurnScore } from '@churnstream/schemas'
import { drive, simulate, type Acknowledgement, type Post, type Step } from '@churnstream/simulator'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import { activityRecord, openActivityWriter } from '../pipeline/activity.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { watchRecords, type Place } from '../pipeline/records.ts'
import { clockEveryMs, firstEvents } from '../pipeline/steps.ts'
import { recurring } from './recurring-month.ts'
import { isKeptUp } from './soak-verdict.ts'

const players = 20_000
const startAt = Date.UTC(2026, 0, 1)
/** As many days as a player has tiles: each day comes to lie where it lay a month before. */
const monthMs = (lateDays + 1) * dayMs
/** All have signed up, and those who leave early have left. */
const settledAt = startAt + 45 * dayMs

const stepSeconds = 20
/** Of a step, at its end: whether what waits has grown. */
const judgedSeconds = 5
const waitingEveryMs = 250
const patienceMs = 300_000
/** In order, and as many at once as come while a request is answered. */
const sending = { concurrency: 1, batchSize: 2_000, tickMs: 20 }

export interface Load extends AsyncDisposable {
  /** Plays what brings the players to where they stay, as fast as it is scored. */
  drainHistory(): Promise<number>
  /** Open loop for a moment: whether what waits does not grow. */
  keepsUp(ratePerSecond: number): Promise<boolean>
  /** Until every event is scored; each latency as it is known. */
  play(
    ratePerSecond: number,
    seconds: number,
    onLatency: (ms: number) => void,
  ): Promise<{ readonly events: number; readonly worstBehindMs: number }>
}

export async function openLoad(pipeline: Pipeline, signal: AbortSignal): Promise<Load> {
  const { kafka, stack } = pipeline
  const schemas = new Schemas({ url: stack.registry.url })
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const producer = await kafka.openProducer()
  const month: Step[] = []
  const steps = recurring(month, monthMs)
  /** An event waits here for its score, or the score for the answer to the event's request. */
  const dueAt = new Map<string, number>()
  const seenAt = new Map<string, number>()
  let scores = 0
  let isPlaying = false
  let onLatency: (ms: number) => void = () => undefined
  const failed = new AbortController()
  const running = AbortSignal.any([signal, failed.signal])

  function take({ trigger, causeEventId: id }: ChurnScore, { seenAt: at }: Place): void {
    if (trigger !== 'activity') return
    scores++
    if (!isPlaying) return
    const due = dueAt.get(id)
    if (due === undefined) seenAt.set(id, at)
    else if (dueAt.delete(id)) onLatency(at - due)
  }

  function sent({ events, dueAt: firstDueAt }: Acknowledgement, ratePerSecond: number): void {
    for (const [index, { eventId: id }] of events.entries()) {
      const due = firstDueAt + (index * 1000) / ratePerSecond
      const seen = seenAt.get(id)
      if (seen === undefined) dueAt.set(id, due)
      else if (seenAt.delete(id)) onLatency(seen - due)
    }
  }

  const post: Post = async (events) => {
    const placed = await producer.send(events.map((event) => activityRecord(encoder, event)))
    return placed.map(({ partition, offset }, index) => {
      const { eventId } = events[index] as (typeof events)[number]
      return { eventId, status: 'accepted', partition, offset: String(offset) }
    })
  }

  const watching = watchRecords({ kafka, schemas }, topics.churnScores, take, {
    from: 'end',
    onFailure: (message) => failed.abort(new Error(message)),
  })
  await watching.caughtUp

  async function untilScored(events: number): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (scores < events) {
      if (performance.now() > deadline) throw new Error(`${scores} of ${events} events are scored`)
      await delay(50, undefined, { signal: running })
    }
  }

  async function play(
    ratePerSecond: number,
    seconds: number,
    note: (ms: number) => void,
  ): Promise<{ events: number; worstBehindMs: number }> {
    onLatency = note
    const before = scores
    const { acknowledged, worstBehindMs } = await drive({
      ...sending,
      steps: firstEvents(steps, Math.round(ratePerSecond * seconds)),
      ratePerSecond,
      signal: running,
      post,
      writeClock: async (at) => void (await producer.send(clockRecords(encoder, at))),
      onAcknowledged: (acknowledgement) => sent(acknowledgement, ratePerSecond),
    })
    running.throwIfAborted()
    await untilScored(before + acknowledged)
    if (dueAt.size + seenAt.size > 0) {
      throw new Error(`${dueAt.size} events without a score, ${seenAt.size} scores too many`)
    }
    return { events: acknowledged, worstBehindMs }
  }

  return {
    async drainHistory() {
      const endAt = settledAt + monthMs
      const history = simulate({ seed: 12, players, startAt, endAt, signUpDays: 30, clockEveryMs })
      const writer = await openActivityWriter(kafka, schemas)
      const startedAt = performance.now()
      const events = await writer.write(noting(history, month))
      await writer.close()
      await untilScored(events)
      isPlaying = true
      return (events * 1000) / (performance.now() - startedAt)
    },
    async keepsUp(ratePerSecond) {
      const before = scores
      const startedAt = performance.now()
      const waiting: number[] = []
      const sampling = setInterval(() => {
        const seconds = (performance.now() - startedAt) / 1000
        if (seconds < stepSeconds - judgedSeconds || seconds > stepSeconds) return
        waiting.push(seconds * ratePerSecond - (scores - before))
      }, waitingEveryMs)
      try {
        await play(ratePerSecond, stepSeconds, () => undefined)
      } finally {
        clearInterval(sampling)
      }
      return isKeptUp(waiting, ratePerSecond)
    },
    play,
    async [Symbol.asyncDispose]() {
      await watching.stop()
      await producer.close()
    },
  }
}

/** Passes everything on, and keeps the steps of the month that will come again. */
function* noting(steps: Iterable<Step>, month: Step[]): Generator<Step> {
  for (const step of steps) {
    if (step.deliverAt >= settledAt) month.push(step)
    yield step
  }
}
