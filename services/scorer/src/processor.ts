// How does a batch of vectors become scores?
import { Encoder, type Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { emit, type Processor } from '@churnstream/runtime'
import { bandOf } from './core/band.ts'
import type { Models } from './models.ts'

/** Registers what this service writes. */
export async function createScoreEncoder(schemas: Schemas): Promise<Encoder<'churn-score'>> {
  return new Encoder('churn-score', await schemas.register('churn-score', topics.churnScores.name))
}

/** One batch, one model: a swap happens between batches. */
export function createScoreProcessor(
  models: Pick<Models, 'withCurrent'>,
  encoder: Encoder<'churn-score'>,
  onScored: (timestampMs: number, modelVersion: string) => void = () => undefined,
): Processor<'feature-vector'> {
  return {
    process: (partition, records) =>
      models.withCurrent(async (model) => {
        const scores = await model.score(records.map((record) => record.value))
        return records.map(({ value, offset, timestampMs }, index) => {
          const score = scores[index] as number
          onScored(timestampMs, model.version)
          return emit([
            {
              topic: topics.churnScores.name,
              partition,
              key: value.playerId,
              timestampMs,
              value: encoder.encode({
                playerId: value.playerId,
                market: value.market ?? '',
                asOf: value.asOf,
                score,
                band: bandOf(score),
                modelName: model.name,
                modelVersion: model.version,
                modelEpoch: model.epoch,
                trigger: value.trigger,
                causeEventId: value.causeEventId,
                causeTopic: value.causeTopic,
                causePartition: value.causePartition,
                causeOffset: value.causeOffset,
                vectorPartition: partition,
                vectorOffset: Number(offset),
              }),
            },
          ])
        })
      }),
  }
}
