// How do scores, shadow scores and outcomes become parts of windows?
import {
  DecodeProblem,
  Decoder,
  type Encoder,
  type ChurnScore,
  type FeatureVector,
  type PrivacyConfirmation,
  type Schemas,
} from '@churnstream/schemas'
import {
  emit,
  skip,
  type ConsumedRecord,
  type Kafka,
  type Outcome,
  type OutgoingRecord,
  type Processor,
} from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { binsOf } from './core/bins.ts'
import { isControl, type Control } from './core/control.ts'
import { PlayerDays, type Known, type Taken } from './core/player-days.ts'
import type { Counted } from './inputs.ts'
import type { Profiles } from './profiles.ts'

export interface CountingEncoders {
  readonly state: Encoder<'monitor-state'>
  readonly partial: Encoder<'monitoring-partial'>
  readonly confirmation: Encoder<'privacy-confirmation'>
}

/** Registers what counting writes. */
export async function createCountingEncoders(schemas: Schemas): Promise<CountingEncoders> {
  return {
    state: await schemas.encoderOf(topics.monitorState),
    partial: await schemas.encoderOf(topics.monitoringPartials),
    confirmation: await schemas.encoderOf(topics.privacyConfirmations),
  }
}

/** Offsets of vectors further apart than this are looked up apart. */
const lookupGap = 2_000

/**
 * The vector of a score is looked up where the score says that it stands: it was there before. So
 * nothing has to be joined, and nothing waits.
 */
export function createCountingProcessor(options: {
  readonly encoders: CountingEncoders
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly profiles: Profiles
  readonly control: Control
}): Processor<Counted> & AsyncDisposable {
  const { encoders, kafka, schemas, profiles, control } = options
  const partitions = new Map<number, PlayerDays>()
  const vectors = kafka.openLookup(topics.featureVectors.name)
  const vectorDecoder = new Decoder('feature-vector')
  const daysOf = (partition: number): PlayerDays => {
    const days = partitions.get(partition)
    if (days === undefined) throw new Error(`partition ${partition} was not restored: a bug`)
    return days
  }

  async function vectorsOf(
    partition: number,
    scores: readonly ChurnScore[],
  ): Promise<Map<number, FeatureVector>> {
    const offsets = scores.map(({ vectorOffset }) => vectorOffset).sort((a, b) => a - b)
    const found = new Map<number, FeatureVector>()
    const wanted = new Set(offsets)
    for (let start = 0; start < offsets.length;) {
      let end = start + 1
      while (end < offsets.length && at(offsets, end) - at(offsets, end - 1) < lookupGap) end++
      const [from, to] = [BigInt(at(offsets, start)), BigInt(at(offsets, end - 1) + 1)]
      const records = (await vectors.read(partition, from, to)).filter(({ offset }) =>
        wanted.has(Number(offset)),
      )
      await schemas.prepare(
        vectorDecoder,
        records.map(({ value }) => value),
      )
      for (const { offset, value } of records) {
        const vector = vectorDecoder.decode(value)
        if (!(vector instanceof DecodeProblem)) found.set(Number(offset), vector)
      }
      start = end
    }
    return found
  }

  async function profileOf(days: PlayerDays, score: ChurnScore): Promise<Known> {
    const { modelName, modelVersion } = score
    const known = days.profileOf(modelName, modelVersion)
    if (known !== undefined) return known
    const found = await profiles.find(modelName, modelVersion)
    days.keepProfile(found)
    return found
  }

  async function onScores(
    partition: number,
    days: PlayerDays,
    scores: readonly ChurnScore[],
  ): Promise<Outcome[]> {
    // Most scores of a day are not the one that stands for it: their vectors need no look.
    const wanted = await vectorsOf(
      partition,
      scores.filter((score) => days.wouldChoose(score)),
    )
    const outcomes: Outcome[] = []
    for (const score of scores) {
      if (!days.wouldChoose(score)) {
        outcomes.push(toOutcome(days.pass(score)))
        continue
      }
      const vector = wanted.get(score.vectorOffset)
      if (vector === undefined) {
        days.pass(score)
        outcomes.push(skip('vector-gone'))
        continue
      }
      const { profile } = await profileOf(days, score)
      const taken = days.onScore(score, {
        daysSinceLastBet: vector.days_since_last_bet,
        tenureDays: vector.tenure_days,
        bins: profile === null ? Buffer.alloc(0) : binsOf(profile, { ...vector }),
      })
      outcomes.push(toOutcome(taken))
    }
    return outcomes
  }

  return {
    async process(partition, records) {
      const days = daysOf(partition)
      const scores = records.flatMap(({ value }) =>
        value.kind === 'score' && !days.isErased(value.score) ? [value.score] : [],
      )
      const ofScores = scores.length === 0 ? [] : await onScores(partition, days, scores)
      let next = 0
      return records.map(({ value }) => {
        switch (value.kind) {
          case 'score':
            return days.isErased(value.score) ? erased : (ofScores[next++] as Outcome)
          case 'shadow':
            return days.isErased(value.score) ? erased : toOutcome(days.onShadow(value.score))
          case 'outcome':
            return days.isErased(value.outcome) ? erased : toOutcome(days.onOutcome(value.outcome))
          default:
            return onConfirmation(partition, days, value.confirmation)
        }
      })
    },
    state: {
      changelog: topics.monitorState,
      async restore(partition, changelog) {
        const days = new PlayerDays(partition, (playerId) => isControl(playerId, control))
        const decoder = new Decoder('monitor-state')
        for await (const records of changelog) await load(days, decoder, records)
        days.loaded()
        partitions.set(partition, days)
        return days.size
      },
      changes(partition) {
        const days = daysOf(partition)
        // What is due follows from the clocks, not from one record.
        const partials = days.takeDue().map((partial): OutgoingRecord => ({
          topic: topics.monitoringPartials.name,
          partition: 0,
          key: String(partition),
          value: encoders.partial.encode(partial),
        }))
        const changes = days.takeChanges().map(([key, state]): OutgoingRecord => ({
          topic: topics.monitorState.name,
          partition,
          key,
          value: state === null ? null : encoders.state.encode(state),
        }))
        return [...partials, ...changes]
      },
      release: (partition) => void partitions.delete(partition),
    },
    [Symbol.asyncDispose]: () => vectors.close(),
  }

  /** Features says which life is over; this service answers, and hears itself answer. */
  function onConfirmation(
    partition: number,
    days: PlayerDays,
    confirmation: PrivacyConfirmation,
  ): Outcome {
    const { playerId, place, untilOffset } = confirmation
    if (place !== topics.playerState.name) return skip('follows-another')
    const dropped = days.erase(playerId, untilOffset)
    return emit([
      {
        topic: topics.privacyConfirmations.name,
        partition,
        key: playerId,
        value: encoders.confirmation.encode({
          ...confirmation,
          place: topics.monitorState.name,
          erased: dropped,
        }),
      },
    ])
  }

  async function load(
    days: PlayerDays,
    decoder: Decoder<'monitor-state'>,
    records: readonly ConsumedRecord[],
  ): Promise<void> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    await schemas.prepare(decoder, values)
    for (const { key, value, offset } of records) {
      const state = value === null ? null : decoder.decode(value)
      if (state instanceof DecodeProblem) {
        throw new Error(
          `${topics.monitorState.name} holds no state at offset ${offset}: ${state.detail}. ` +
            'The changelog is ours alone: find out who wrote there.',
        )
      }
      const reference = state?.profile
      if (reference == null) {
        days.load(String(key), state)
        continue
      }
      const { artifactLocation, profileSha256 } = reference
      const profile =
        artifactLocation === '' ? null : await profiles.load(artifactLocation, profileSha256)
      days.keepProfile({ reference, profile })
    }
  }
}

const erased = skip('erased')

const at = (values: readonly number[], index: number): number => values[index] as number

const toOutcome = (taken: Taken): Outcome => (taken === 'counted' ? emit([]) : skip(taken))
