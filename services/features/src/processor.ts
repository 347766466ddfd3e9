// How does a record of player-activity become vectors, labels and state?
import {
  DecodeProblem,
  Decoder,
  activityProblem,
  clockKind,
  privacyRequestProblem,
  type Encoder,
  type PlayerActivity,
  type PrivacyRequest,
  type Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import {
  deadLetter,
  emit,
  skip,
  type ConsumedRecord,
  type Outcome,
  type OutgoingRecord,
  type Processor,
  type Received,
} from '@churnstream/runtime'
import { horizonDays } from './core/labels.ts'
import { PartitionState, type PartitionOptions, type Result } from './core/partition.ts'
import type { FeatureMetrics } from './metrics.ts'

export interface Encoders {
  readonly vector: Encoder<'feature-vector'>
  readonly outcome: Encoder<'player-outcome'>
  readonly state: Encoder<'player-state'>
  readonly confirmation: Encoder<'privacy-confirmation'>
}

/** Of player-activity, or of privacy-requests. */
type Input = PlayerActivity | PrivacyRequest

/** Where this service keeps players, as its confirmations name it. */
const erasedPlace = topics.playerState.name

/** Registers what this service writes. */
export async function createEncoders(schemas: Schemas): Promise<Encoders> {
  return {
    vector: await schemas.encoderOf(topics.featureVectors),
    outcome: await schemas.encoderOf(topics.playerOutcomes),
    state: await schemas.encoderOf(topics.playerState),
    confirmation: await schemas.encoderOf(topics.privacyConfirmations),
  }
}

/**
 * Of one transaction: who has brought so many is the last in it. Otherwise the clock records of a
 * night, in one chunk, would each add as many as one may.
 */
const enoughRecords = 4_000

export function createFeatureProcessor(
  encoders: Encoders,
  schemas: Schemas,
  options: PartitionOptions & {
    readonly enoughRecords?: number
    readonly metrics?: FeatureMetrics
  } = {},
): Processor<Input> {
  const enough = options.enoughRecords ?? enoughRecords
  const clockLate = options.metrics?.clockLate
  const partitions = new Map<number, PartitionState>()
  /** By partition: everything below it of player-activity was folded. */
  const folded = new Map<number, number>()
  const stateOf = (partition: number): PartitionState => {
    const state = partitions.get(partition)
    if (state === undefined) throw new Error(`partition ${partition} was not restored: a bug`)
    return state
  }

  return {
    // Records of one call are of one topic.
    process(partition, records) {
      const state = stateOf(partition)
      const outcomes: Outcome[] = []
      let emitted = 0
      for (const record of records) {
        const outcome = isRequest(record)
          ? onRequest(state, partition, record)
          : onActivity(state, partition, record as Received<PlayerActivity>)
        outcomes.push(outcome)
        if (outcome.kind === 'emit') emitted += outcome.records.length
        if (emitted >= enough) break
      }
      return outcomes
    },
    async opened(partition, next) {
      folded.set(partition, Number(next.get(topics.playerActivity.name)))
    },
    state: {
      changelog: topics.playerState,
      async restore(partition, changelog) {
        const state = new PartitionState(options)
        const decoder = new Decoder('player-state')
        for await (const records of changelog) await load(state, decoder, records)
        partitions.set(partition, state)
        return state.size
      },
      changes(partition) {
        const state = stateOf(partition)
        const changed = state.takeChanges().map((change) => [change.playerId, change] as const)
        // Erased first: who came back in the same transaction has a state again.
        return [...state.takeErased(), ...changed].map(([key, change]) => ({
          topic: topics.playerState.name,
          partition,
          key,
          value: change === null ? null : encoders.state.encode(change),
        }))
      },
      release(partition) {
        partitions.delete(partition)
        clockLate?.remove({ partition: String(partition) })
      },
    },
  }

  function onActivity(
    state: PartitionState,
    partition: number,
    record: Received<PlayerActivity>,
  ): Outcome {
    const { value, offset } = record
    const at = Number(offset)
    folded.set(partition, at + 1)
    const problem = activityProblem(value)
    if (problem) return deadLetter(problem.reason, `${problem.field} ${problem.message}`)
    if (value.kind === clockKind) {
      const { occurredAt: clockAt } = value
      const settled = state.onClock(clockAt, at)
      clockLate?.set({ partition: String(partition) }, state.latenessMs(clockAt) / 1000)
      return emit(toRecords(settled, partition, record))
    }
    const result = state.onActivity(value, at)
    return typeof result === 'string' ? skip(result) : emit(toRecords(result, partition, record))
  }

  function onRequest(
    state: PartitionState,
    partition: number,
    { value, key }: Received<PrivacyRequest>,
  ): Outcome {
    const problem = privacyRequestProblem(value, key?.toString())
    if (problem) return deadLetter(problem.reason, problem.message)
    const { requestId, playerId } = value
    const at = folded.get(partition) as number
    const { wasKnown, fromOffset, untilOffset } = state.erase(playerId, at, value.untilOffset)
    return emit([
      {
        topic: topics.privacyConfirmations.name,
        partition,
        key: playerId,
        value: encoders.confirmation.encode({
          requestId,
          playerId,
          place: erasedPlace,
          erased: wasKnown ? 1 : 0,
          fromOffset,
          untilOffset,
        }),
      },
    ])
  }

  async function load(
    state: PartitionState,
    decoder: Decoder<'player-state'>,
    records: readonly ConsumedRecord[],
  ): Promise<void> {
    const values = records.map((record) => record.value)
    await schemas.prepare(decoder, values)
    for (const record of records) {
      if (record.value === null) {
        state.unload(String(record.key))
        continue
      }
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

const isRequest = (record: Received<Input>): record is Received<PrivacyRequest> =>
  'requestId' in record.value
