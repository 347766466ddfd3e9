// npm run bench -- soak: what becomes of memory, stalls and latency at a rate kept up for long?
import { topics } from '@churnstream/topology'
import { join } from 'node:path'
import { createHistogram, type Histogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { startBreakable } from './breakable.ts'
import { grouped, toLines, toMarkdownTable, type Figures } from './printed.ts'
import { metricsPage, totalOf } from './metrics-page.ts'
import { configure, openAdmin } from './peers/admin.ts'
import { differences } from './peers/figures.ts'
import { importModel } from './peers/model.ts'
import { cpuSecondsOf, cpuSecondsOfAll } from './peers/process-cost.ts'
import { openLoad, type Load } from './soak-load.ts'
import { capacityOf, growthOf, nextRate, toTrend, type Growth, type Tried } from './soak-verdict.ts'

const measuredIds = ['features', 'scorer'] as const
type Id = (typeof measuredIds)[number]

const leastRate = 100
const lookEveryMs = 5_000
const minuteMs = 60_000
const longStallMs = 100
/** Of each partition: what lies on the disk must not grow for as long as somebody lets it run. */
const retention = {
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
      retention,
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
    'event to committed score: p99 ms': whole.p99Ms,
    'event to committed score: p99.9 ms': whole.p999Ms,
    'event to committed score: worst ms': whole.worstMs,
    ...Object.fromEntries(
      measuredIds.flatMap((id) => Object.entries(figuresOf(id, minutes, longStalls[id]))),
    ),
  }
  const text = [toMarkdownTable(headings, minutes.map(toCells)), '', toLines(figures)].join('\n')
  return { figures, tried, minutes, text }
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
