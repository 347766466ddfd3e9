// What do the scores of a run say of the versions that made them?
import { DecodeProblem, Decoder, type ChurnScore, type Schemas } from '@churnstream/schemas'
import type { Kafka } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'

export interface ScoreWatch {
  /** Resolves with the instant at which a score of this version was first seen. */
  firstOf(modelVersion: string, after: number): Promise<number>
  /** Longest time between two arrivals of scores since the call before. */
  takeLongestGapMs(): number
  readonly seen: number
  readonly caughtUp: Promise<void>
  stop(): Promise<void>
}

/** Sees committed scores as they arrive, from now on. Instants are of performance.now(). */
export function watchScores(kafka: Kafka, schemas: Schemas): ScoreWatch {
  const decoder = new Decoder('churn-score')
  const waiting = new Set<{ version: string; after: number; resolve: (at: number) => void }>()
  let working: Promise<void> = Promise.resolve()
  let lastAt: number | undefined
  let longestGapMs = 0
  let seen = 0
  const follower = kafka.follow(
    topics.churnScores.name,
    (records) => {
      const at = performance.now()
      if (lastAt !== undefined) longestGapMs = Math.max(longestGapMs, at - lastAt)
      lastAt = at
      seen += records.length
      if (waiting.size === 0) return
      working = working.then(async () => {
        const values = records.map(({ value }) => value)
        await schemas.prepare(decoder, values)
        const versions = new Set(
          values.map((value) => {
            const score = decoder.decode(value)
            return score instanceof DecodeProblem ? undefined : score.modelVersion
          }),
        )
        for (const one of waiting) {
          if (at < one.after || !versions.has(one.version)) continue
          waiting.delete(one)
          one.resolve(at)
        }
      })
    },
    { from: 'end' },
  )
  return {
    firstOf: (version, after) =>
      new Promise((resolve) => void waiting.add({ version, after, resolve })),
    takeLongestGapMs() {
      const longest = longestGapMs
      longestGapMs = 0
      lastAt = undefined
      return longest
    },
    get seen() {
      return seen
    },
    caughtUp: follower.caughtUp,
    async stop() {
      await follower.stop()
      await working
    },
  }
}

export interface RunAccount {
  readonly scores: number
  /** Vectors without a score, and scores beyond the first. */
  readonly missing: number
  readonly duplicates: number
  /** Scores whose epoch is below that of the score before, in the order of the vectors. */
  readonly epochFalls: number
  /** Epochs of a model that more than one version claims. */
  readonly mixedEpochs: number
  readonly versions: Readonly<Record<string, number>>
}

/** Counts the scores of a run from the topic, read_committed. */
export async function accountFor(options: {
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly from: readonly bigint[]
  /** The causes that must be there: each partition's number of vectors. */
  readonly sent: number
}): Promise<RunAccount> {
  const { kafka, schemas } = options
  const decoder = new Decoder('churn-score')
  const causes = new Set<string>()
  const versions: Record<string, number> = {}
  const versionOfEpoch = new Map<string, string>()
  let [scores, duplicates, epochFalls, mixedEpochs] = [0, 0, 0, 0]
  for (const [partition, from] of options.from.entries()) {
    const newestEpoch = new Map<string, number>()
    const found: ChurnScore[] = []
    for await (const records of kafka.read(topics.churnScores.name, partition, from)) {
      const values = records.map(({ value }) => value)
      await schemas.prepare(decoder, values)
      for (const value of values) {
        const score = decoder.decode(value)
        if (score instanceof DecodeProblem) throw new Error(score.detail)
        found.push(score)
      }
    }
    for (const score of found) {
      const { modelName, modelVersion, modelEpoch } = score
      scores++
      const cause = `${score.causeTopic} ${score.causePartition} ${score.causeOffset}`
      if (causes.has(cause)) duplicates++
      causes.add(cause)
      versions[modelVersion] = (versions[modelVersion] ?? 0) + 1
      if (modelEpoch < (newestEpoch.get(modelName) ?? -1)) epochFalls++
      newestEpoch.set(modelName, modelEpoch)
      const epoch = `${modelName} ${modelEpoch}`
      const claimed = versionOfEpoch.get(epoch)
      if (claimed !== undefined && claimed !== modelVersion) mixedEpochs++
      versionOfEpoch.set(epoch, modelVersion)
    }
  }
  const missing = options.sent - causes.size
  return { scores, missing, duplicates, epochFalls, mixedEpochs, versions }
}
