// npm run bench -- soak: what becomes of memory, stalls and latency at a rate kept up for long?
import { clockRecords } from '@churnstream/ingestion'
import { Encoder, Schemas, type ChurnScore } from '@churnstream/schemas'
import { drive, simulate, type Acknowledgement, type Post, type Step } from '@churnstream/simulator'
import { topics } from '@churnstream/topology'
import { join } from 'node:path'
import { createHistogram, type Histogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { activityRecord, openActivityWriter } from '../pipeline/activity.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { watchRecords, type Place } from '../pipeline/records.ts'
import { clockEveryMs, firstEvents } from '../pipeline/steps.ts'
import { startBreakable } from './breakable.ts'
import { grouped, toLines, toMarkdownTable, type Figures } from './printed.ts'
import { metricsPage, totalOf } from './metrics-page.ts'
import { configure, openAdmin } from './peers/admin.ts'
import { differences } from './peers/figures.ts'
import { importModel } from './peers/model.ts'
import { cpuSecondsOf, cpuSecondsOfAll } from './peers/process-cost.ts'
import { recurring } from './recurring-month.ts'
import {
  capacityOf,
  growthOf,
  isKeptUp,
  nextRate,
  toTrend,
  type Growth,
  type Tried,
} from './soak-verdict.ts'

const measuredIds = ['features', 'scorer'] as const
type Id = (typeof measuredIds)[number]

const players = 20_000
const startAt = Date.UTC(2026, 0, 1)
const dayMs = 86_400_000
const monthMs = 30 * dayMs
/** All have signed up, and those who leave early have left. */
const settledAt = startAt + 45 * dayMs

const stepSeconds = 20
/** Of a step, at its end: whether what waits has grown. */
const judgedSeconds = 5
const leastRate = 100
const waitingEveryMs = 250
const lookEveryMs = 5_000
const minuteMs = 60_000
const patienceMs = 300_000
const longStallMs = 100
/** In order, and as many at once as come while a request is answered. */
const sending = { concurrency: 1, batchSize: 2_000, tickMs: 20 }
/** Of each partition: what lies on the disk must not grow for as long as somebody lets it run. */
const kept = {
  'cleanup.policy': 'delete',
  'retention.bytes': String(64 * 1024 * 1024),
  'segment.bytes': String(32 * 1024 * 1024),
}
const bounded = [
  topics.playerActivity,
  topics.featureVectors,
  topics.churnScores,
  topics.playerOutcomes,
]

/** Of one service, over a minute. */
interface Condition {
  readonly residentMb: number
  readonly heapMb: number
  readonly externalMb: number
  /** As a timer of 50 ms sees it: up to so much more than it was. */
  readonly longestStallMs: number
  readonly cores: number
}

interface Latencies {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly worstMs: number
}

export interface Minute extends Latencies {
  readonly minute: number
  readonly scores: number
  readonly services: Readonly<Record<Id, Condition>>
  readonly coresUsed: Readonly<Record<'broker' | 'bench' | 'other programs', number>>
}

export interface Soak {
  readonly figures: Figures
  readonly tried: readonly Tried[]
  readonly minutes: readonly Minute[]
  readonly text: string
}

export async function benchSoak(options: {
  readonly dataDir: string
  readonly minutes: number
  readonly share: number
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<Soak> {
  const { dataDir, share, signal, onProgress } = options
  const { pipeline, running } = await startBreakable({
    dataDir,
    modelSize: 'small',
    services: [...measuredIds, 'registryBridge'],
    signal,
    onProgress,
    prepare: (stack) => importModel(stack, join(dataDir, 'model'), onProgress),
  })
  await using _ = pipeline
  // What it told the scorer stays in its topic.
  await pipeline.process('registryBridge').stop()
  {
    await using admin = await openAdmin(pipeline.stack.kafka.brokers)
    await configure(
      admin,
      bounded.map(({ name }) => name),
      kept,
    )
  }
  await using load = await openLoad(pipeline, running)
  const drainedPerSecond = await load.drainHistory()
  onProgress(`drained ${grouped(drainedPerSecond)} events/s of the history`)

  const tried: Tried[] = []
  for (;;) {
    const ratePerSecond = nextRate(tried, Math.round(drainedPerSecond / 8))
    if (ratePerSecond === undefined) break
    if (ratePerSecond < leastRate) throw new Error(`not even ${leastRate} events/s are kept up`)
    const step = { ratePerSecond, isKeptUp: await load.keepsUp(ratePerSecond) }
    tried.push(step)
    onProgress(`${grouped(ratePerSecond)} events/s: ${step.isKeptUp ? 'kept up' : 'too much'}`)
  }
  const capacity = capacityOf(tried)
  const ratePerSecond = Math.round(share * capacity)
  onProgress(`${grouped(ratePerSecond)} events/s for ${options.minutes} minutes`)
  const { minutes, whole, events, longStalls, worstBehindMs } = await soak(
    pipeline,
    load,
    ratePerSecond,
    options.minutes,
    onProgress,
  )
  const figures = {
    'history drained, events/s': Math.round(drainedPerSecond),
    'capacity: most events/s in an open loop': capacity,
    'events/s': ratePerSecond,
    minutes: options.minutes,
    'events, each scored once': events,
    'worst delay by the sender, ms': Math.round(worstBehindMs),
    'event to committed score: p50 ms': whole.p50Ms,
    'p99 ms': whole.p99Ms,
    'p99.9 ms': whole.p999Ms,
    'worst ms': whole.worstMs,
    ...Object.fromEntries(
      measuredIds.flatMap((id) => Object.entries(figuresOf(id, minutes, longStalls[id]))),
    ),
  }
  const text = [toMarkdownTable(headings, minutes.map(toCells)), '', toLines(figures)].join('\n')
  return { figures, tried, minutes, text }
}

interface Load extends AsyncDisposable {
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

async function openLoad(pipeline: Pipeline, signal: AbortSignal): Promise<Load> {
  const { kafka, stack } = pipeline
  const schemas = new Schemas({ url: stack.registry.url })
  const { record, name } = topics.playerActivity
  const encoder = new Encoder(record, await schemas.register(record, name))
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
    take: (ms: number) => void,
  ): Promise<{ events: number; worstBehindMs: number }> {
    onLatency = take
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
        if (seconds > stepSeconds) clearInterval(sampling)
        else if (seconds > stepSeconds - judgedSeconds) {
          waiting.push(seconds * ratePerSecond - (scores - before))
        }
      }, waitingEveryMs)
      await play(ratePerSecond, stepSeconds, () => undefined)
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

interface Outcome {
  readonly minutes: readonly Minute[]
  readonly whole: Latencies
  readonly events: number
  readonly longStalls: Readonly<Record<Id, number>>
  readonly worstBehindMs: number
}

async function soak(
  pipeline: Pipeline,
  load: Load,
  ratePerSecond: number,
  count: number,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  const ofMinute = createHistogram()
  const ofAll = createHistogram()
  const minutes: Minute[] = []
  const longStalls = { features: 0, scorer: 0 }
  const ended = new AbortController()
  const { signal } = ended

  async function watch(): Promise<void> {
    const startedAt = performance.now()
    // The first look forgets the stalls of before.
    await look(pipeline)
    let before = cpuSeconds(pipeline)
    for (let minute = 1; minute <= count; minute++) {
      const looks: Record<Id, Look>[] = []
      for (let at = lookEveryMs; at <= minuteMs; at += lookEveryMs) {
        const leftMs = startedAt + (minute - 1) * minuteMs + at - performance.now()
        await delay(Math.max(0, leftMs), undefined, { signal })
        looks.push(await look(pipeline))
      }
      const now = cpuSeconds(pipeline)
      const cores = coresOf(differences(before, now))
      before = now
      const services = Object.fromEntries(
        measuredIds.map((id) => {
          const own = looks.map((each) => each[id])
          longStalls[id] += own.filter(({ stallMs }) => stallMs > longStallMs).length
          return [id, toCondition(own, cores[id])]
        }),
      ) as Record<Id, Condition>
      const { broker, bench, 'other programs': others } = cores
      const coresUsed = { broker, bench, 'other programs': others }
      const { count: scored } = ofMinute
      const done = { minute, scores: scored, ...toLatencies(ofMinute), services, coresUsed }
      ofMinute.reset()
      minutes.push(done)
      onProgress(
        `minute ${minute}: ${headings
          .map((heading, column) => `${heading} ${toCells(done)[column]}`)
          .slice(1)
          .join(', ')}`,
      )
    }
  }

  const watching = watch()
  watching.catch(() => undefined)
  try {
    const played = await load.play(ratePerSecond, count * 60, (ms) => {
      const microseconds = Math.max(1, Math.round(ms * 1000))
      ofMinute.record(microseconds)
      ofAll.record(microseconds)
    })
    await watching
    return { ...played, minutes, whole: toLatencies(ofAll), longStalls }
  } finally {
    ended.abort()
  }
}

interface Look {
  readonly residentBytes: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly stallMs: number
}

/** Each look says the longest stall since the one before. */
async function look({ urls }: Pipeline): Promise<Record<Id, Look>> {
  const looks = measuredIds.map(async (id): Promise<[Id, Look]> => {
    const page = await metricsPage(urls[id])
    return [
      id,
      {
        residentBytes: totalOf(page, 'process_resident_memory_bytes'),
        heapBytes: totalOf(page, 'nodejs_heap_size_used_bytes'),
        externalBytes: totalOf(page, 'nodejs_external_memory_bytes'),
        stallMs: 1000 * totalOf(page, 'nodejs_eventloop_lag_max_seconds'),
      },
    ]
  })
  return Object.fromEntries(await Promise.all(looks)) as Record<Id, Look>
}

type Consumer = Id | 'broker' | 'bench' | 'all programs'

function cpuSeconds(pipeline: Pipeline): Record<Consumer | 'clock', number> {
  return {
    features: cpuSecondsOf(pipeline.process('features').pid),
    scorer: cpuSecondsOf(pipeline.process('scorer').pid),
    broker: cpuSecondsOf(pipeline.stack.servers.kafka.pid),
    bench: cpuSecondsOf(process.pid),
    'all programs': cpuSecondsOfAll(),
    clock: performance.now() / 1000,
  }
}

function coresOf(
  spent: Readonly<Record<string, number>>,
): Record<Id | 'broker' | 'bench' | 'other programs', number> {
  const { features, scorer, broker, bench, clock } = spent as Record<Consumer | 'clock', number>
  const others = (spent['all programs'] as number) - features - scorer - broker - bench
  return {
    features: features / clock,
    scorer: scorer / clock,
    broker: broker / clock,
    bench: bench / clock,
    'other programs': others / clock,
  }
}

function toCondition(looks: readonly Look[], cores: number): Condition {
  const meanMb = (bytesOf: (look: Look) => number): number =>
    rounded(looks.reduce((sum, look) => sum + bytesOf(look), 0) / looks.length / 1e6)
  return {
    residentMb: meanMb(({ residentBytes }) => residentBytes),
    heapMb: meanMb(({ heapBytes }) => heapBytes),
    externalMb: meanMb(({ externalBytes }) => externalBytes),
    longestStallMs: Math.round(Math.max(...looks.map(({ stallMs }) => stallMs))),
    cores,
  }
}

const toLatencies = (histogram: Histogram): Latencies => ({
  p50Ms: toMs(histogram.percentile(50)),
  p99Ms: toMs(histogram.percentile(99)),
  p999Ms: toMs(histogram.percentile(99.9)),
  worstMs: toMs(histogram.max),
})

const toMs = (microseconds: number): number => Math.round(microseconds / 1000)
const rounded = (value: number): number => Math.round(value * 10) / 10

/** Memory over the second half, a point a minute. */
function figuresOf(id: Id, minutes: readonly Minute[], longStalls: number): Figures {
  const half = minutes.slice(Math.floor(minutes.length / 2))
  const trendOf = (valueOf: (condition: Condition) => number) =>
    toTrend(half.map(({ minute, services }) => [minute * 60, valueOf(services[id])]))
  const text = (valueOf: (condition: Condition) => number): string => {
    const { mean, perHour, uncertainty } = trendOf(valueOf)
    return `${rounded(mean)}, ${rounded(perHour)} ± ${rounded(uncertainty)} an hour`
  }
  const isLongEnough = half.length >= 3
  const growth: Growth = isLongEnough
    ? growthOf(trendOf(({ residentMb }) => residentMb))
    : 'not known'
  return {
    [`${id}: resident memory`]: growth,
    ...(isLongEnough
      ? {
          [`${id}: resident MB`]: text(({ residentMb }) => residentMb),
          [`${id}: heap MB`]: text(({ heapMb }) => heapMb),
          [`${id}: external MB`]: text(({ externalMb }) => externalMb),
        }
      : {}),
    [`${id}: longest stall, ms`]: Math.max(
      ...minutes.map(({ services }) => services[id].longestStallMs),
    ),
    [`${id}: looks of ${lookEveryMs / 1000} s with a stall over ${longStallMs} ms`]: `${longStalls} of ${(minutes.length * minuteMs) / lookEveryMs}`,
  }
}

const headings = [
  'minute',
  'scores',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'worst ms',
  ...measuredIds.flatMap((id) => [
    `${id}: resident MB`,
    `${id}: heap MB`,
    `${id}: external MB`,
    `${id}: longest stall ms`,
    `${id}: cores`,
  ]),
  'broker: cores',
  'bench: cores',
  'others: cores',
]

function toCells({ minute, scores, services, coresUsed, ...latencies }: Minute): string[] {
  const { p50Ms, p99Ms, p999Ms, worstMs } = latencies
  return [
    ...[minute, scores, p50Ms, p99Ms, p999Ms, worstMs].map(String),
    ...measuredIds.flatMap((id) => {
      const { residentMb, heapMb, externalMb, longestStallMs, cores } = services[id]
      return [...[residentMb, heapMb, externalMb, longestStallMs].map(String), cores.toFixed(2)]
    }),
    ...Object.values(coresUsed).map((used) => used.toFixed(2)),
  ]
}
