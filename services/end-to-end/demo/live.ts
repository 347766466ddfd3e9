// What does the demo see while it runs?
import type { LoadReport, Schemas } from '@churnstream/schemas'
import { messageOf, type Follower, type Kafka } from '@churnstream/runtime'
import { clusterTopics, deadLetterTopic, topics } from '@churnstream/topology'
import { watchRecords } from '../pipeline/records.ts'

/** Figures for the eye; the report counts again from the topics. */
export interface Live {
  readonly acknowledged: ReadonlySet<string>
  readonly waiting: number
  readonly scores: number
  readonly deadLetters: number
  readonly modelVersion: string
  readonly firstScoreAt: number | undefined
  /** Milliseconds from when an event was due to be sent to its committed score. */
  latencies(): Float64Array
  /** The same, of the events since the last call. */
  takeRecentLatencies(): Float64Array
  sent(eventId: string, dueAt: number): void
  accepted(eventId: string): void
  stop(): Promise<void>
  readonly caughtUp: Promise<unknown>
}

export interface WatchOptions {
  readonly kafka: Kafka
  readonly schemas: Schemas
  /** Something about models that a person wants to see at once. */
  readonly onNotice: (line: string) => void
  readonly onFailure: (message: string) => void
}

export function watch({ kafka, schemas, onNotice, onFailure }: WatchOptions): Live {
  const verdicts = new Map<string, string>()
  const dueAt = new Map<string, number>()
  const acknowledged = new Set<string>()
  const unscored = new Set<string>()
  const scoredEarly = new Set<string>()
  const all: number[] = []
  let recent: number[] = []
  let scores = 0
  let deadLetters = 0
  let modelVersion = 'none yet'
  let firstScoreAt: number | undefined
  let isLive = false

  const connection = { kafka, schemas }
  const watched = [
    watchRecords(
      connection,
      topics.churnScores,
      (score, { seenAt }) => {
        scores++
        firstScoreAt ??= seenAt
        modelVersion = `${score.modelName} version ${score.modelVersion}`
        if (score.trigger === 'activity') arrive(score.causeEventId, seenAt)
      },
      { onFailure, from: 'end' },
    ),
    watchRecords(
      connection,
      topics.loadReports,
      (report, { key }) => {
        const name = key?.toString() ?? ''
        const notice = verdictText(report)
        if (isLive && notice !== undefined && verdicts.get(name) !== notice) onNotice(notice)
        if (notice !== undefined) verdicts.set(name, notice)
      },
      { onFailure },
    ),
  ]
  const counted: Follower[] = clusterTopics()
    .filter(({ name }) => name.endsWith(deadLetterTopic({ name: '' })))
    .map(({ name }) =>
      kafka.follow(name, (records) => void (deadLetters += records.length), { from: 'end' }),
    )
  for (const { finished } of counted) {
    finished.catch((error: unknown) => onFailure(`reading the topics: ${messageOf(error)}`))
  }

  function arrive(eventId: string, visibleAt: number): void {
    const due = dueAt.get(eventId)
    if (due === undefined) return
    dueAt.delete(eventId)
    all.push(visibleAt - due)
    recent.push(visibleAt - due)
    if (!unscored.delete(eventId)) scoredEarly.add(eventId)
  }

  return {
    acknowledged,
    get waiting() {
      return unscored.size
    },
    get scores() {
      return scores
    },
    get deadLetters() {
      return deadLetters
    },
    get modelVersion() {
      return modelVersion
    },
    get firstScoreAt() {
      return firstScoreAt
    },
    latencies: () => Float64Array.from(all).sort(),
    takeRecentLatencies() {
      const taken = Float64Array.from(recent).sort()
      recent = []
      return taken
    },
    sent: (eventId, due) => void dueAt.set(eventId, due),
    accepted(eventId) {
      acknowledged.add(eventId)
      // The score may be visible before the answer has come back.
      if (!scoredEarly.delete(eventId)) unscored.add(eventId)
    },
    async stop() {
      await Promise.all([...watched, ...counted].map((one) => one.stop()))
    },
    caughtUp: Promise.all([...watched, ...counted].map((one) => one.caughtUp)).then(() => {
      isLive = true
    }),
  }
}

/** What a scorer found of a version, in one line. */
function verdictText(report: LoadReport): string | undefined {
  const { modelName, alias, verdictVersion, verdict, reason, detail, loadedVersion } = report
  if (verdictVersion === null) return undefined
  const version = `version ${verdictVersion} of ${modelName}`
  if (verdict === 'accepted') {
    const figures = new Map(report.verdictFigures.map(({ name, value }) => [name, value]))
    const cost = `${(figures.get('microsecondsPerRow') ?? NaN).toFixed(1)} µs a row`
    return `${version} is loaded as ${alias} (epoch ${report.loadedEpoch}, ${cost})`
  }
  const goesOn = loadedVersion === null ? '' : `; version ${loadedVersion} goes on`
  const found = verdict === 'refused' ? 'was refused' : 'left its guard'
  return `${version} ${found} as ${alias}: ${reason}: ${detail}${goesOn}`
}

/** The value below which this share of the sorted values lies; 0 when there are none. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
