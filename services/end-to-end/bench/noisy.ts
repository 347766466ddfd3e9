// npm run bench -- noisy: how long does one player's burst delay the others of its partition?
import { partitionOf } from '@churnstream/runtime'
import { DecodeProblem, Decoder, Schemas } from '@churnstream/schemas'
import { drive, postEvents } from '@churnstream/simulator'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import { depositOf } from '../pipeline/deposit.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { lastYear } from '../pipeline/steps.ts'
import { startBreakable } from './breakable.ts'

const othersPerSecond = 400
const warmUpMs = 15_000
const phaseMs = 20_000
const noisyPerSecond = 15_000
const noisyBatch = 1_000
const patienceMs = 120_000
const noisyPlayer = 'noisy'

interface Phase {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
  readonly others: number
  /** Events of the noisy player that were taken. */
  readonly taken: number
}

export async function benchNoisy(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Record<string, number | string>> {
  const { dataDir, signal, onProgress } = options
  const started = await startBreakable({ dataDir, modelSize: 'small', signal, onProgress })
  await using pipeline = started.pipeline
  const { running } = started
  await using others = await startOthers(pipeline, running)
  await delay(warmUpMs, undefined, { signal: running })

  const quiet = await others.measure(async () => 0)
  onProgress(`without a burst: p99 ${quiet.p99Ms} ms`)
  const bounded = await others.measure(() => burst(pipeline, running))
  onProgress(`a burst, bounded: p99 ${bounded.p99Ms} ms`)
  await pipeline.process('ingestion').stop()
  await pipeline.restart('ingestion', { PLAYER_EVENTS_PER_SECOND: '0' })
  await delay(warmUpMs / 3, undefined, { signal: running })
  const unbounded = await others.measure(() => burst(pipeline, running))

  const figures: Record<string, number | string> = {}
  for (const [name, phase] of Object.entries({ quiet, bounded, unbounded })) {
    figures[`${name}: others on the partition, event to score, p50 ms`] = phase.p50Ms
    figures[`${name}: p99 ms`] = phase.p99Ms
    figures[`${name}: worst ms`] = phase.worstMs
    figures[`${name}: events of others measured`] = phase.others
    figures[`${name}: events of the noisy player taken`] = phase.taken
  }
  figures['p99 bounded / quiet'] = ratio(bounded.p99Ms, quiet.p99Ms)
  figures['p99 unbounded / quiet'] = ratio(unbounded.p99Ms, quiet.p99Ms)
  return figures
}

/** Sends as fast as told whatever the answers are, as a client gone wild does. */
async function burst(pipeline: Pipeline, signal: AbortSignal): Promise<number> {
  const url = `${pipeline.urls.ingestion}/v1/events`
  const startedAt = performance.now()
  const answers: Promise<number>[] = []
  for (let sent = 0; performance.now() - startedAt < phaseMs; sent += noisyBatch) {
    const events = Array.from({ length: noisyBatch }, (_, at) => {
      const event = depositOf(noisyPlayer, `noisy-${startedAt}-${sent + at}`, Date.now())
      return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null))
    })
    answers.push(takenOf(url, pipeline.apiKey, events, signal))
    const dueAt = startedAt + ((sent + noisyBatch) / noisyPerSecond) * 1000
    await delay(Math.max(0, dueAt - performance.now()), undefined, { signal })
  }
  return (await Promise.all(answers)).reduce((sum, taken) => sum + taken, 0)
}

async function takenOf(
  url: string,
  key: string,
  events: readonly object[],
  signal: AbortSignal,
): Promise<number> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ events }),
    signal,
  })
  const body = (await answer.json()) as { results?: { status: string }[] }
  return (body.results ?? []).filter(({ status }) => status === 'accepted').length
}

interface Others extends AsyncDisposable {
  /** Of events sent while the work goes on, by players on the partition of the noisy one. */
  measure(work: () => Promise<number>): Promise<Phase>
}

async function startOthers(pipeline: Pipeline, signal: AbortSignal): Promise<Others> {
  const { kafka, stack } = pipeline
  const schemas = new Schemas({ url: stack.registry.url })
  const decoder = new Decoder('churn-score')
  const partition = partitionOf(noisyPlayer, topics.playerActivity.partitions)
  const sentAt = new Map<string, number>()
  let latenciesMs: number[] | undefined
  let decoding: Promise<void> = Promise.resolve()
  const follower = kafka.follow(
    topics.churnScores.name,
    (records, of) => {
      if (of !== partition) return
      const now = performance.now()
      decoding = decoding.then(async () => {
        const values = records.map(({ value }) => value)
        await schemas.prepare(decoder, values)
        for (const value of values) {
          const score = decoder.decode(value)
          if (score instanceof DecodeProblem) continue
          const at = sentAt.get(score.causeEventId)
          if (at === undefined) continue
          sentAt.delete(score.causeEventId)
          latenciesMs?.push(now - at)
        }
      })
    },
    { from: 'end' },
  )
  await follower.caughtUp
  const ended = new AbortController()
  const post = postEvents(pipeline.urls.ingestion, { key: pipeline.apiKey })
  const load = drive({
    steps: lastYear(1, othersPerSecond),
    ratePerSecond: othersPerSecond,
    signal: AbortSignal.any([signal, ended.signal]),
    async post(events, postSignal) {
      const now = performance.now()
      for (const { eventId, playerId } of events) {
        if (partitionOf(playerId, topics.playerActivity.partitions) !== partition) continue
        sentAt.set(eventId, now)
      }
      return post(events, postSignal)
    },
    writeClock: () => undefined,
  })
  load.catch(() => undefined)
  return {
    async measure(work) {
      sentAt.clear()
      const measured: number[] = []
      latenciesMs = measured
      const startedAt = performance.now()
      const taken = await work()
      await delay(Math.max(0, phaseMs - (performance.now() - startedAt)), undefined, { signal })
      // What was sent last still counts, however late it is.
      const waiting = new Set(sentAt.keys())
      const deadline = performance.now() + patienceMs
      while ([...waiting].some((id) => sentAt.has(id))) {
        if (performance.now() > deadline) throw new Error('events of other players stay unscored')
        await delay(50, undefined, { signal })
      }
      await decoding
      latenciesMs = undefined
      measured.sort((a, b) => a - b)
      const at = (share: number) =>
        Math.round(measured[Math.ceil(measured.length * share) - 1] ?? 0)
      return {
        p50Ms: at(0.5),
        p99Ms: at(0.99),
        worstMs: at(1),
        others: measured.length,
        taken,
      }
    },
    async [Symbol.asyncDispose]() {
      ended.abort()
      await load.catch(() => undefined)
      await follower.stop()
    },
  }
}

const ratio = (value: number, of: number): number => Math.round((value / of) * 10) / 10
