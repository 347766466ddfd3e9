// How is player-activity read for a replay?
import { playersPerClock } from '@churnstream/features'
import { FatalError, type Kafka } from '@churnstream/runtime'
import { DecodeProblem, Decoder, activityProblem, type Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import type { OldestKept } from './core/history.ts'
import type { TopicPlan } from './core/source-plan.ts'
import { Poison, type Step } from './core/step.ts'
import { erasedUntil, readConfirmations } from './erasures.ts'
import { ahead, type Source } from './source.ts'

const topic = topics.playerActivity
const lookedAtRecords = 200

/** First and end offsets as they stand now. */
export async function noteTopic(kafka: Kafka): Promise<TopicPlan> {
  const [firsts, ends] = await Promise.all([
    kafka.firstOffsets(topic.name),
    kafka.endOffsets(topic.name),
  ])
  const parts = firsts.map((first, partition) => ({
    first: Number(first),
    end: Number(ends[partition]),
  }))
  return { kind: 'topic', topic: topic.name, parts }
}

/** @throws FatalError when the topic no longer holds what an earlier run noted */
export async function checkTopic(kafka: Kafka, { parts }: TopicPlan): Promise<void> {
  const now = await noteTopic(kafka)
  for (const [partition, { first, end }] of parts.entries()) {
    const kept = now.parts[partition]
    if (kept !== undefined && kept.first <= first && end <= kept.end) continue
    throw new FatalError(
      `this replay was begun with offsets ${first} to ${end} of ${topic.name}-${partition}, and ` +
        `${kept?.first} to ${kept?.end} are there now: it can't be finished as it was begun. ` +
        'Begin again with another --id',
    )
  }
}

/** Reads exactly what the plan says, and nothing of what erased players did before. */
export function openTopicSource(kafka: Kafka, schemas: Schemas, plan: TopicPlan): Source {
  const decoder = new Decoder(topic.record)

  async function* read(partition: number): AsyncGenerator<readonly Step[]> {
    const { first, end } = plan.parts[partition] as TopicPlan['parts'][number]
    const erased = erasedUntil(await readConfirmations(kafka, schemas, partition))
    const isForgotten = ({ offset, input }: Step): boolean =>
      !(input instanceof Poison) && offset < (erased.get(input.playerId) ?? 0)
    const batches = kafka.read(plan.topic, partition, BigInt(first), BigInt(end))
    for await (const records of ahead(batches, 2)) {
      await schemas.prepare(
        decoder,
        records.map(({ value }) => value),
      )
      const steps = records.map(({ offset, value }) => ({
        offset: Number(offset),
        input: toInput(value),
      }))
      yield erased.size === 0 ? steps : steps.filter((step) => !isForgotten(step))
    }
  }

  function toInput(value: Buffer | null): Step['input'] {
    const event = decoder.decode(value)
    if (event instanceof DecodeProblem) return new Poison(event.reason)
    const problem = activityProblem(event)
    return problem === undefined ? event : new Poison(problem.reason)
  }

  return {
    plan,
    name: plan.topic,
    partitions: plan.parts.length,
    // Its clock records are those that the stream has folded.
    playersPerClock,
    left: { rejected: {}, after: 0 },
    read,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** Event time reached by the oldest records that are kept. */
export async function oldestKept(source: Source, plan: TopicPlan): Promise<OldestKept[]> {
  return Promise.all(
    plan.parts.map(async ({ first }, partition) => {
      if (first === 0) return { partition, first, reachedAt: undefined }
      for await (const steps of source.read(partition)) {
        // Some come late, so the newest of the first few is what was reached.
        const times = steps
          .slice(0, lookedAtRecords)
          .flatMap(({ input }) => (input instanceof Poison ? [] : [input.occurredAt]))
        if (times.length > 0) return { partition, first, reachedAt: times.reduce(later) }
      }
      return { partition, first, reachedAt: undefined }
    }),
  )
}

const later = (a: number, b: number): number => Math.max(a, b)
