// How does a batch of vectors become scores?
import type { Encoder, Schemas } from '@churnstream/schemas'
import type { VectorView } from '@churnstream/schemas/model'
import { topics } from '@churnstream/topology'
import {
  TransientError,
  deadLetter,
  emit,
  type Log,
  type OutgoingRecord,
  type Processor,
  type Received,
} from '@churnstream/runtime'
import { bandOf } from './core/band.ts'
import { routeOf } from './core/routing.ts'
import type { Guard } from './core/guard.ts'
import { RunFailed, type Engine, type Scored } from './engine.ts'
import type { Champion, Models, Routing } from './models.ts'
import { startShadows, type ShadowSettings } from './shadow.ts'
import type { Version } from './versions.ts'

/** Registers what this service writes; shadow scores have the same schema. */
export async function createScoreEncoders(schemas: Schemas): Promise<ScoreEncoders> {
  return {
    scores: await schemas.encoderOf(topics.churnScores),
    shadows: await schemas.encoderOf(topics.shadowScores),
  }
}

export interface ScoreEncoders {
  readonly scores: Encoder<'churn-score'>
  readonly shadows: Encoder<'churn-score'>
}

export interface ScoreProcessorOptions {
  readonly models: Pick<Models, 'withCurrent' | 'caughtUp' | 'breached'>
  readonly encoders: ScoreEncoders
  readonly shadowEngine: Pick<Engine, 'pendingRows'>
  readonly shadow: ShadowSettings
  readonly log: Log
  readonly onScored: (modelName: string, modelVersion: string, scores: Float32Array) => void
}

/** Rows of a batch that the version before scores too, while a swap is fresh. */
const comparedRows = 64

interface ScoredVector {
  readonly champion: Champion
  readonly score: number
  readonly microseconds: number
}

/**
 * One batch, one version of each model: a swap happens between batches. The challengers' scores go
 * into the same transaction.
 */
export function createScoreProcessor(options: ScoreProcessorOptions): Processor<VectorView> {
  const { models, encoders, shadowEngine, shadow, log } = options

  async function scoreAll(
    routing: Routing,
    vectors: readonly VectorView[],
  ): Promise<readonly ScoredVector[]> {
    const groups = new Map<Champion, number[]>()
    // Markets are few: each is routed once.
    const ofMarket = new Map<string | null, number[]>()
    for (const [index, { market }] of vectors.entries()) {
      let group = ofMarket.get(market)
      if (group === undefined) {
        const champion = routeOf(routing.champions, market)
        if (champion === undefined) throw new Error('no model is loaded: wait for first')
        group = groups.get(champion) ?? []
        groups.set(champion, group)
        ofMarket.set(market, group)
      }
      group.push(index)
    }
    const scored: ScoredVector[] = []
    await Promise.all(
      [...groups].map(async ([champion, indexes]) => {
        const chosen = indexes.map((index) => vectors[index] as VectorView)
        const { scores, microseconds } = await scoreGroup(champion, chosen)
        const each = microseconds / indexes.length
        for (const [position, index] of indexes.entries()) {
          scored[index] = { champion, score: scores[position] as number, microseconds: each }
        }
      }),
    )
    return scored
  }

  async function scoreGroup(champion: Champion, vectors: readonly VectorView[]): Promise<Scored> {
    const { version, watch } = champion
    const guard = watch?.guard.isOpen(Date.now()) ? watch.guard : undefined
    try {
      const scored = await version.score('serving', vectors)
      options.onScored(version.modelName, version.modelVersion, scored.scores)
      if (watch && guard) {
        const wrong = scored.scores.filter((score) => !Number.isFinite(score)).length
        guard.scored(vectors.length - wrong, scored.microseconds)
        if (wrong > 0) guard.failed(wrong)
        await compare(guard, watch.before, vectors.slice(0, comparedRows), scored.scores)
      }
      return scored
    } catch (error) {
      if (!(error instanceof RunFailed)) throw error
      guard?.failed(vectors.length)
      const { modelName, modelVersion } = version
      throw new TransientError(`version ${modelVersion} of ${modelName} failed to score`, {
        cause: error,
      })
    } finally {
      const breach = guard?.judge(Date.now())
      if (breach) models.breached(champion, breach)
    }
  }

  async function compare(
    guard: Guard,
    before: Version,
    vectors: readonly VectorView[],
    scores: Float32Array,
  ): Promise<void> {
    try {
      guard.compared(scores, (await before.score('serving', vectors)).scores)
    } catch (error) {
      if (!(error instanceof RunFailed)) throw error
      const { modelName, modelVersion } = before
      log.warn({ modelName, modelVersion, reason: error.message }, 'the version before failed')
    }
  }

  function toRecord(
    topic: string,
    encoder: Encoder<'churn-score'>,
    partition: number,
    { value, offset, timestampMs }: Received<VectorView>,
    { version, epoch }: Pick<Champion, 'version' | 'epoch'>,
    score: number,
  ): OutgoingRecord {
    return {
      topic,
      partition,
      key: value.playerId,
      timestampMs,
      value: encoder.encode({
        playerId: value.playerId,
        market: value.market ?? '',
        asOf: value.asOf,
        score,
        band: bandOf(score),
        modelName: version.modelName,
        modelVersion: version.modelVersion,
        modelEpoch: epoch,
        trigger: value.trigger,
        causeEventId: value.causeEventId,
        causeTopic: value.causeTopic,
        causePartition: value.causePartition,
        causeOffset: value.causeOffset,
        vectorPartition: partition,
        vectorOffset: Number(offset),
      }),
    }
  }

  return {
    opened: () => models.caughtUp(),
    process: (partition, received) =>
      models.withCurrent(async (routing) => {
        const vectors = received.map(({ value }) => value)
        const shadows = startShadows(routing, vectors, shadowEngine, shadow, log)
        const scored = await scoreAll(routing, vectors)
        const shadowed = await shadows.finish()
        return received.map((record, index) => {
          const { champion, score, microseconds } = scored[index] as ScoredVector
          const { modelName, modelVersion } = champion.version
          if (!Number.isFinite(score)) {
            const detail = `version ${modelVersion} of ${modelName} gave ${score}`
            return deadLetter('score-not-a-number', detail)
          }
          const records = [
            toRecord(topics.churnScores.name, encoders.scores, partition, record, champion, score),
          ]
          const other = shadowed.get(index)
          if (other) {
            other.challenger.sums.add(score, other.score)
            other.challenger.sums.championMicroseconds += microseconds
            records.push(
              toRecord(
                topics.shadowScores.name,
                encoders.shadows,
                partition,
                record,
                other.challenger,
                other.score,
              ),
            )
          }
          return record.trace ? emit(records, { modelName, modelVersion }) : emit(records)
        })
      }),
  }
}
