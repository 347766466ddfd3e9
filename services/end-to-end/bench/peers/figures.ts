// What do samples of the runs say?
import { grouped, toMarkdownTable } from '../printed.ts'

export type Task = 'S' | 'F'
export type Guarantee = 'exactly-once' | 'at-least-once'

/** How a contender ran. */
export interface Setting {
  readonly task: Task
  readonly contender: string
  readonly guarantee: Guarantee
  readonly cores: 1 | 2
  /** A preloaded topic as fast as it goes, or so many events a second. */
  readonly load: 'drain' | number
}

export interface RunResult {
  /** Within the window. */
  readonly events: number
  readonly seconds: number
  /** Of each process. */
  readonly cpuSeconds: Readonly<Record<string, number>>
  readonly peakRssMb: number
  /** Sorted; none of a drain. */
  readonly latenciesMs: readonly number[]
}

export interface Figure extends Setting {
  readonly runs: number
  /** Of one run; like all that follows the median of the runs. */
  readonly events: number
  readonly eventsPerSecond: number
  readonly eventsPerSecondRange: readonly [number, number]
  readonly cpuSecondsPerMillion: number
  readonly cpuSecondsPerMillionByProcess: Readonly<Record<string, number>>
  /** Processor time per second: below the cores, it waited for the broker or for other programs. */
  readonly coresUsed: number
  readonly peakRssMb: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  /** Throughput and processor time against those of our own in the same round; null without it. */
  readonly timesOurs: { readonly eventsPerSecond: number; readonly cpu: number } | null
}

export const ours = 'churnstream'
export const oursFused = 'churnstream-fused'
export const isOurs = (contender: string): boolean => [ours, oursFused].includes(contender)

/** What stood in the outputs, and what the processes had cost, at one instant. */
export interface Sample {
  readonly atMs: number
  /** Committed end of each partition, by topic. */
  readonly ends: Readonly<Record<string, readonly bigint[]>>
  readonly cpuSeconds: Readonly<Record<string, number>>
}

/** A process, and the topic that shows how far it is. */
export interface Stage {
  readonly name: string
  readonly outTopic: string
}

/** Offsets of the records of each partition, in order, by topic. */
export type Places = Readonly<Record<string, readonly (readonly bigint[])[]>>

export interface Window {
  readonly events: number
  readonly fromMs: number
  readonly toMs: number
  /** For so many events. */
  readonly cpuSeconds: Readonly<Record<string, number>>
}

/**
 * From the first sample in which the first stage has done the warm-up to the first in which the last
 * stage has done everything. One stage may be far ahead of another: what each costs is taken from its
 * own warm-up to its own end.
 */
export function windowOf(
  samples: readonly Sample[],
  stages: readonly Stage[],
  places: Places,
  warmUpEvents: number,
): Window {
  const spans = stages.map(({ outTopic }) =>
    spanOf(
      samples.map(({ ends }) => ends[outTopic] ?? []),
      places[outTopic] ?? [],
      warmUpEvents,
    ),
  )
  const [first, last] = [spans[0] as Span, spans.at(-1) as Span]
  const { events } = first
  const cpuOf = (name: string, sample: number): number => samples[sample]?.cpuSeconds[name] ?? 0
  return {
    events,
    fromMs: (samples[first.from] as Sample).atMs,
    toMs: (samples[last.to] as Sample).atMs,
    cpuSeconds: Object.fromEntries(
      stages.map(({ name }, stage) => {
        const span = spans[stage] as Span
        const spent = cpuOf(name, span.to) - cpuOf(name, span.from)
        return [name, (spent * events) / span.events]
      }),
    ),
  }
}

interface Span {
  readonly events: number
  /** Indexes of samples. */
  readonly from: number
  readonly to: number
}

function spanOf(
  ends: readonly (readonly bigint[])[],
  places: readonly (readonly bigint[])[],
  warmUpEvents: number,
): Span {
  const total = places.reduce((sum, { length }) => sum + length, 0)
  const committed = ends.map((each) =>
    each.reduce((sum, end, partition) => sum + countBelow(places[partition] ?? [], end), 0),
  )
  const from = committed.findIndex((count) => count >= warmUpEvents)
  const to = committed.indexOf(total)
  if (from < 0 || from >= to) {
    throw new Error(`there are too few of ${total} records behind a warm-up of ${warmUpEvents}`)
  }
  return { events: total - (committed[from] as number), from, to }
}

/** How many of the sorted offsets are less. */
function countBelow(offsets: readonly bigint[], end: bigint): number {
  let [low, high] = [0, offsets.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((offsets[middle] as bigint) < end) low = middle + 1
    else high = middle
  }
  return low
}

export function differences(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
  )
}

/** Of sorted values; the value that the share is not above. */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2
}

const rate = ({ events, seconds }: RunResult): number => events / seconds
const sum = (values: Readonly<Record<string, number>>): number =>
  Object.values(values).reduce((total, value) => total + value, 0)
const cpuPerMillion = ({ cpuSeconds, events }: RunResult): number =>
  (sum(cpuSeconds) * 1e6) / events

/** @param own our runs of the same rounds, as many */
export function toFigure(
  setting: Setting,
  runs: readonly RunResult[],
  own: readonly RunResult[] | undefined,
): Figure {
  const of = (figure: (run: RunResult) => number): number => median(runs.map(figure))
  const rates = runs.map(rate)
  const latency = (share: number): number | null => {
    const values = runs.flatMap(({ latenciesMs }) => percentile(latenciesMs, share) ?? [])
    return values.length === 0 ? null : round(median(values), 1)
  }
  const against = (figure: (run: RunResult) => number): number =>
    round(
      median(
        runs.map((run, round) => figure(run) / figure((own as RunResult[])[round] as RunResult)),
      ),
      2,
    )
  const processes = Object.keys(runs[0]?.cpuSeconds ?? {})
  return {
    ...setting,
    runs: runs.length,
    events: Math.round(of(({ events }) => events)),
    eventsPerSecond: Math.round(median(rates)),
    eventsPerSecondRange: [Math.round(Math.min(...rates)), Math.round(Math.max(...rates))],
    cpuSecondsPerMillion: round(of(cpuPerMillion), 1),
    cpuSecondsPerMillionByProcess: Object.fromEntries(
      processes.map((name) => [
        name,
        round(
          of(({ cpuSeconds, events }) => ((cpuSeconds[name] ?? 0) * 1e6) / events),
          1,
        ),
      ]),
    ),
    coresUsed: round(
      of(({ cpuSeconds, seconds }) => sum(cpuSeconds) / seconds),
      2,
    ),
    peakRssMb: Math.round(of(({ peakRssMb }) => peakRssMb)),
    p50Ms: latency(0.5),
    p99Ms: latency(0.99),
    p999Ms: latency(0.999),
    timesOurs:
      own?.length === runs.length
        ? { eventsPerSecond: against(rate), cpu: against(cpuPerMillion) }
        : null,
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

const headings = [
  'task',
  'contender',
  'guarantee',
  'cores',
  'load',
  'events/s',
  'min–max',
  '× ours',
  'CPU s/M',
  '× ours',
  'cores used',
  'RSS MB',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'runs',
]

export function toTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.task,
    figure.contender,
    figure.guarantee,
    String(figure.cores),
    figure.load === 'drain' ? 'drain' : `${figure.load}/s`,
    grouped(figure.eventsPerSecond),
    figure.eventsPerSecondRange.map(grouped).join('–'),
    figure.timesOurs?.eventsPerSecond.toFixed(2) ?? '',
    processorText(figure),
    figure.timesOurs?.cpu.toFixed(2) ?? '',
    figure.coresUsed.toFixed(2),
    String(figure.peakRssMb),
    ...[figure.p50Ms, figure.p99Ms, figure.p999Ms].map((value) =>
      value === null ? '' : String(value),
    ),
    String(figure.runs),
  ])
  return toMarkdownTable(headings, rows)
}

function processorText({
  cpuSecondsPerMillion,
  cpuSecondsPerMillionByProcess: by,
}: Figure): string {
  const parts = Object.entries(by).map(([name, value]) => `${name} ${value}`)
  return parts.length > 1
    ? `${cpuSecondsPerMillion} (${parts.join(', ')})`
    : String(cpuSecondsPerMillion)
}
