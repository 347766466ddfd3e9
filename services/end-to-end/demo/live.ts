// What does the demo see while it runs?
import { DecodeProblem, Decoder, type Schemas } from '@churnstream/schemas'
import { messageOf, type Follower, type Kafka } from '@churnstream/runtime'
import { clusterTopics, deadLetterTopic, topics } from '@churnstream/topology'

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

export function watch(kafka: Kafka, schemas: Schemas, onFailure: (message: string) => void): Live {
  const decoder = new Decoder('churn-score')
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
  let decoding: Promise<void> = Promise.resolve()

  const followers: Follower[] = [
    kafka.follow(
      topics.churnScores.name,
      (records) => {
        const visibleAt = performance.now()
        decoding = decoding.then(async () => {
          await schemas.prepare(
            decoder,
            records.map(({ value }) => value),
          )
          for (const { value } of records) {
            const score = decoder.decode(value)
            if (score instanceof DecodeProblem) continue
            scores++
            firstScoreAt ??= visibleAt
            modelVersion = `${score.modelName} version ${score.modelVersion}`
            if (score.trigger === 'activity') arrive(score.causeEventId, visibleAt)
          }
        })
        decoding.catch((error: unknown) => onFailure(`reading scores: ${messageOf(error)}`))
      },
      { from: 'end' },
    ),
    ...clusterTopics()
      .filter(({ name }) => name.endsWith(deadLetterTopic({ name: '' })))
      .map(({ name }) =>
        kafka.follow(name, (records) => void (deadLetters += records.length), { from: 'end' }),
      ),
  ]
  for (const { finished } of followers) {
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
      await Promise.all(followers.map((follower) => follower.stop()))
      await decoding
    },
    caughtUp: Promise.all(followers.map((follower) => follower.caughtUp)),
  }
}

/** The value below which this share of the sorted values lies; 0 when there are none. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
