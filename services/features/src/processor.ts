// How does a record of player-activity become vectors, labels and state?
import {
  DecodeProblem,
  Decoder,
  Encoder,
  activityProblem,
  clockKind,
  type PlayerActivity,
  type Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import {
  deadLetter,
  emit,
  skip,
  type ConsumedRecord,
  type OutgoingRecord,
  type Processor,
  type Received,
} from '@churnstream/runtime'
import { horizonDays } from './core/labels.ts'
import { PartitionState, type Result } from './core/partition.ts'

export interface Encoders {
  readonly vector: Encoder<'feature-vector'>
  readonly outcome: Encoder<'player-outcome'>
  readonly state: Encoder<'player-state'>
}

/** Registers what this service writes. */
export async function createEncoders(schemas: Schemas): Promise<Encoders> {
  const [vector, outcome, state] = await Promise.all([
    schemas.register('feature-vector', topics.featureVectors.name),
    schemas.register('player-outcome', topics.playerOutcomes.name),
    schemas.register('player-state', topics.playerState.name),
  ])
  return {
    vector: new Encoder('feature-vector', vector),
    outcome: new Encoder('player-outcome', outcome),
    state: new Encoder('player-state', state),
  }
}

export function createFeatureProcessor(
  encoders: Encoders,
  schemas: Schemas,
): Processor<PlayerActivity> {
  const partitions = new Map<number, PartitionState>()
  const stateOf = (partition: number): PartitionState => {
    const state = partitions.get(partition)
    if (state === undefined) throw new Error(`partition ${partition} was not restored: a bug`)
    return state
  }

  return {
    process(partition, records) {
      const state = stateOf(partition)
      return records.map((record) => {
        const { value, offset } = record
        const problem = activityProblem(value)
        if (problem) return deadLetter(problem.reason, `${problem.field} ${problem.message}`)
        const at = Number(offset)
        const result =
          value.kind === clockKind
            ? state.onClock(value.occurredAt, at)
            : state.onActivity(value, at)
        if (typeof result === 'string') return skip(result)
        return emit(toRecords(result, partition, record))
      })
    },
    state: {
      changelog: topics.playerState,
      async restore(partition, changelog) {
        const state = new PartitionState()
        const decoder = new Decoder('player-state')
        for await (const records of changelog) await load(state, decoder, records)
        partitions.set(partition, state)
        return state.size
      },
      changes: (partition) =>
        stateOf(partition)
          .takeChanges()
          .map((change) => ({
            topic: topics.playerState.name,
            partition,
            key: change.playerId,
            value: encoders.state.encode(change),
          })),
      release: (partition) => void partitions.delete(partition),
    },
  }

  async function load(
    state: PartitionState,
    decoder: Decoder<'player-state'>,
    records: readonly ConsumedRecord[],
  ): Promise<void> {
    const values = records.map((record) => record.value)
    await schemas.prepare(decoder, values)
    for (const record of records) {
      const change = decoder.decode(record.value)
      if (change instanceof DecodeProblem) {
        throw new Error(
          `${topics.playerState.name} holds no player state at offset ${record.offset}: ` +
            `${change.detail}. The changelog is ours alone: find out who wrote there.`,
        )
      }
      state.load(change)
    }
  }

  function toRecords(
    result: Result,
    partition: number,
    { value, offset, timestampMs }: Received<PlayerActivity>,
  ): OutgoingRecord[] {
    const cause = {
      causeEventId: value.eventId,
      causeTopic: topics.playerActivity.name,
      causePartition: partition,
      causeOffset: Number(offset),
    }
    const records: OutgoingRecord[] = []
    for (const { playerId, asOf, trigger, features } of result.vectors) {
      records.push({
        topic: topics.featureVectors.name,
        partition,
        key: playerId,
        // A spread would look up every feature by its name.
        value: encoders.vector.encode(Object.assign(features, { playerId, asOf, trigger }, cause)),
        timestampMs,
      })
    }
    for (const { playerId, market, asOfDay, churned, knownAt } of result.outcomes) {
      records.push({
        topic: topics.playerOutcomes.name,
        partition,
        key: playerId,
        value: encoders.outcome.encode({
          playerId,
          market,
          asOfDay,
          churned,
          horizonDays,
          knownAt,
          ...cause,
        }),
        timestampMs,
      })
    }
    return records
  }
}
