// How do scores of a replay go to backfill-scores, each of them once?
import { bandOf } from '@churnstream/scorer'
import {
  FatalError,
  failpoint,
  type ConsumedRecord,
  type Kafka,
  type OutgoingRecord,
  type TransactionalProducer,
} from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  type Encoder,
  type ChurnScore,
  type Schemas,
} from '@churnstream/schemas'
import type { VectorView } from '@churnstream/schemas/model'
import { backfillScores, replayIds, topics } from '@churnstream/topology'
import type { Lane, ScoredChunk, Target } from './backfill.ts'
import type { PartitionCounts } from './core/counts.ts'
import { planDifference, type Plan } from './core/plan.ts'
import { ahead } from './source.ts'

const { name: topic, partitions } = backfillScores
const input = topics.playerActivity.name

/** On every record of a replay the first; on the one that begins and the one that ends it, more. */
export const replayHeaders = {
  run: 'run-id',
  /** The plan, as JSON. */
  begin: 'begin-of-replay',
  end: 'end-of-replay',
  /** PartitionCounts, as JSON. */
  counts: 'counts',
} as const

/** A score that no registry event brought, of a vector that stands in no topic. */
const noEpoch = 0
const noVector = -1

const idOf = (run: string, part: string): string =>
  `${replayIds.transactionalIdPrefix}${run}.${part}`
const runGroupOf = (run: string): string => `${replayIds.groupPrefix}${run}`

/** What was noted when a run was begun. */
export interface Begun {
  readonly plan: Plan
  /** Of each partition of backfill-scores: nothing of the run stands before it. */
  readonly outputFrom: readonly number[]
}

/**
 * The plan that the run was begun with, or this one from now on: it is written to every partition in
 * one transaction before any score, so that whoever goes on reads up to the same offsets.
 * @throws FatalError when the id was begun with another plan
 */
export async function beginInTopic(kafka: Kafka, plan: Plan): Promise<Begun> {
  const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  const producer = await kafka.openTransactional(idOf(plan.id, 'plan'), { partitions: places })
  try {
    // Only now: an earlier run can no longer write one.
    const found = await findBegun(kafka, plan.id)
    if (found === undefined) {
      const begun = { plan, outputFrom: (await kafka.endOffsets(topic)).map(Number) }
      const headers = { [replayHeaders.run]: plan.id, [replayHeaders.begin]: JSON.stringify(begun) }
      await producer.commit({
        records: places.map((place) => ({ ...place, key: null, value: null, headers })),
      })
      return begun
    }
    const difference = planDifference(found.plan, plan)
    if (difference === undefined) return found
    throw new FatalError(
      `the replay ${plan.id} in ${topic} was begun otherwise: ${difference}. Give the same options, ` +
        'or another --id',
    )
  } finally {
    await producer.close()
  }
}

async function findBegun(kafka: Kafka, run: string): Promise<Begun | undefined> {
  for await (const [first] of recordsOf(kafka, run, 0, 0)) {
    if (first === undefined) continue
    const begin = first.headers[replayHeaders.begin]
    if (begin !== undefined) return JSON.parse(begin.toString()) as Begun
    throw new FatalError(
      `retention has removed from ${topic} how the replay ${run} was begun: give another --id`,
    )
  }
  return undefined
}

export function openTopicTarget(options: {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly encoder: Encoder<'churn-score'>
  readonly begun: Begun
}): Target {
  const { kafka, schemas, encoder, begun } = options
  const { plan, outputFrom } = begun
  const { id } = plan
  const isOfTopic = plan.source.kind === 'topic'
  const headers = { [replayHeaders.run]: id }

  function toRecord(view: VectorView, score: number, partition: number): OutgoingRecord {
    const { playerId, market, asOf, trigger } = view
    const { causeEventId, causeTopic, causePartition, causeOffset } = view
    return {
      topic,
      partition,
      key: playerId,
      headers,
      value: encoder.encode({
        playerId,
        market: market ?? '',
        asOf,
        score,
        band: bandOf(score),
        modelName: plan.modelName,
        modelVersion: plan.modelVersion,
        modelEpoch: noEpoch,
        trigger,
        causeEventId,
        causeTopic,
        causePartition,
        causeOffset,
        vectorPartition: partition,
        vectorOffset: noVector,
      }),
    }
  }

  function laneOf(
    producer: TransactionalProducer,
    partition: number,
    next: number,
    written: number,
  ): Lane {
    const commit = async (records: OutgoingRecord[], nextOffset: number): Promise<void> => {
      // Files have no offsets; their place is told by the scores alone.
      const offset = { groupId: runGroupOf(id), topic: input, partition, next: BigInt(nextOffset) }
      await producer.commit(isOfTopic ? { records, offsets: [offset] } : { records })
      failpoint('after-commit')
    }
    return {
      next,
      written,
      write({ views, scores, next: after }: ScoredChunk) {
        const records: OutgoingRecord[] = []
        for (const [index, view] of views.entries()) {
          const score = scores[index] as number
          if (Number.isFinite(score)) records.push(toRecord(view, score, partition))
        }
        return commit(records, after)
      },
      finish(counts, after) {
        const marker = {
          ...headers,
          [replayHeaders.end]: 'true',
          [replayHeaders.counts]: JSON.stringify(counts),
        }
        const record = { topic, partition, key: null, value: null, headers: marker }
        return commit([record], after)
      },
      [Symbol.asyncDispose]: () => producer.close(),
    }
  }

  return {
    async open(partition) {
      const producer = await kafka.openTransactional(idOf(id, `${input}.${partition}`), {
        partitions: [{ topic, partition }],
        groupId: runGroupOf(id),
      })
      try {
        // Only now: an earlier run of the id is fenced, and what it committed is final.
        const { finished, scores, last } = await standingOf(partition)
        if (finished !== undefined) {
          await producer.close()
          return { finished }
        }
        return laneOf(producer, partition, await nextOf(partition, last), scores)
      } catch (error) {
        await producer.close()
        throw error
      }
    },
    countScores: async (partition) => (await standingOf(partition)).scores,
    async *read(partition) {
      const decoder = new Decoder(backfillScores.record)
      let row = 0
      for await (const records of recordsOf(kafka, id, partition, outputFrom[partition] ?? 0)) {
        const values = records.map(({ value }) => value)
        const scores = await decodeScores(schemas, decoder, values)
        yield scores.map((score) => ({ ...score, source: score.causeTopic, row: row++ }))
      }
    },
    complete: async () => undefined,
  }

  /** Of the offset and the newest score the later: brokers forget offsets of groups that are done. */
  async function nextOf(partition: number, last: Buffer | undefined): Promise<number> {
    if (last === undefined) return 0
    const decoder = new Decoder(backfillScores.record)
    const [newest] = await decodeScores(schemas, decoder, [last])
    const after = (newest?.causeOffset ?? -1) + 1
    if (!isOfTopic) return after
    return Math.max(after, Number(await kafka.committedOffset(runGroupOf(id), input, partition)))
  }

  async function standingOf(partition: number): Promise<Standing> {
    let finished: PartitionCounts | undefined
    let last: Buffer | undefined
    let scores = 0
    const from = outputFrom[partition] ?? 0
    for await (const records of recordsOf(kafka, id, partition, from)) {
      for (const { headers, value } of records) {
        const counts = headers[replayHeaders.counts]
        if (counts !== undefined) finished = JSON.parse(counts.toString()) as PartitionCounts
        if (value === null) continue
        scores++
        last = value
      }
    }
    return { finished, scores, last }
  }
}

/** What stands of a run in a partition. */
interface Standing {
  readonly finished: PartitionCounts | undefined
  readonly scores: number
  readonly last: Buffer | undefined
}

/**
 * The records of a run in a partition, up to the end as it stands now. Other runs' transactions may
 * be open before it: they are waited for, or what stands behind them would be missed.
 */
async function* recordsOf(
  kafka: Kafka,
  run: string,
  partition: number,
  from: number,
): AsyncGenerator<ConsumedRecord[]> {
  const end = (await kafka.endOffsets(topic))[partition] as bigint
  for await (const records of ahead(kafka.read(topic, partition, BigInt(from), end), 2)) {
    yield records.filter(({ headers }) => headers[replayHeaders.run]?.toString() === run)
  }
}

async function decodeScores(
  schemas: Pick<Schemas, 'prepare'>,
  decoder: Decoder<'churn-score'>,
  values: readonly (Buffer | null)[],
): Promise<ChurnScore[]> {
  const scores = values.filter((value) => value !== null)
  await schemas.prepare(decoder, scores)
  return scores.map((value) => {
    const score = decoder.decode(value)
    if (!(score instanceof DecodeProblem)) return score
    throw new FatalError(`${topic} holds a record that is no score: ${score.detail}`)
  })
}
