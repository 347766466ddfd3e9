// What should each record of player-activity have given rise to, and does it stand in the topics?
import { PartitionState } from '@churnstream/features'
import {
  DecodeProblem,
  activityProblem,
  clockKind,
  type FeatureVector,
  type PlayerActivity,
  type PlayerOutcome,
  type PlayerState,
  type PrivacyConfirmation,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { place, type Breach } from './breach.ts'

export interface At<T> {
  readonly offset: number
  readonly value: T
}

export interface SetAside {
  readonly offset: number
  readonly reason: string
}

/** Set aside by a person, who knows of a record that is whole and stops a service. */
const parked = 'parked'

/** Whose state was dropped before which offset, and where a new life may begin. */
export type Erasure = Pick<PrivacyConfirmation, 'playerId' | 'fromOffset' | 'untilOffset'>

/** Of one partition. */
export interface FoldInput {
  readonly partition: number
  /** All of them, from the beginning. Poison is a DecodeProblem. */
  readonly activity: readonly At<PlayerActivity | DecodeProblem>[]
  readonly vectors: readonly At<FeatureVector>[]
  readonly outcomes: readonly At<PlayerOutcome>[]
  /** Newest of each player; none of players who were erased. */
  readonly state: ReadonlyMap<string, PlayerState>
  /** In the order in which they were done. */
  readonly erasures: readonly Erasure[]
  /** The records of player-activity that the dead letters name. */
  readonly deadLetters: readonly SetAside[]
  /** The next offset of the features group: all before it must have its outcome. */
  readonly committed: number
}

/** What became of a record of player-activity. */
export type Fate =
  | { readonly kind: 'vectors'; readonly count: number }
  | { readonly kind: 'dead-letter' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'in-flight' }

export interface Folded {
  readonly breaches: readonly Breach[]
  /** By offset. */
  readonly fates: ReadonlyMap<number, Fate>
}

/** A fold of our own over the committed input, compared with what the features service wrote. */
export function checkFold(input: FoldInput): Folded {
  const { partition, committed } = input
  const breaches: Breach[] = []
  const fates = new Map<number, Fate>()
  const report = (breach: Breach): void => void breaches.push(breach)
  const state = new PartitionState()
  const expectedVectors = new Map<string, FeatureVector>()
  const expectedOutcomes = new Map<string, PlayerOutcome>()
  const matchedStates = new Set<string>()
  const lastChange = new Map<string, number>()
  const setAside = counted(input.deadLetters.map(({ offset }) => offset))
  const parkedOffsets = new Set(
    input.deadLetters.filter(({ reason }) => reason === parked).map(({ offset }) => offset),
  )

  const erasures = [...input.erasures]
  const eraseBefore = (offset: number): void => {
    while (erasures[0] !== undefined && erasures[0].fromOffset <= offset) {
      const { playerId, fromOffset, untilOffset } = erasures.shift() as Erasure
      state.erase(playerId, fromOffset, untilOffset)
      lastChange.delete(playerId)
      matchedStates.delete(playerId)
    }
  }
  for (const { offset, value } of input.activity) {
    eraseBefore(offset)
    const at = place(topics.playerActivity.name, partition, offset)
    const isPoison =
      value instanceof DecodeProblem ||
      activityProblem(value) !== undefined ||
      parkedOffsets.has(offset)
    const letters = setAside.get(offset) ?? 0
    setAside.delete(offset)
    if (isPoison) {
      const isLate = offset >= committed && letters === 0
      fates.set(offset, isLate ? { kind: 'in-flight' } : { kind: 'dead-letter' })
      if (isLate) continue
      if (letters !== 1) {
        const kind = letters === 0 ? 'lost' : 'duplicated'
        report({ kind, where: at, detail: `poison with ${letters} dead letters` })
      }
      continue
    }
    if (letters > 0) {
      report({ kind: 'unexpected', where: at, detail: 'a dead letter of a record that is whole' })
    }
    const result =
      value.kind === clockKind
        ? state.onClock(value.occurredAt, offset)
        : state.onActivity(value, offset)
    if (typeof result === 'string') {
      fates.set(offset, { kind: 'skipped', reason: result })
      continue
    }
    const cause = {
      causeEventId: value.eventId,
      causeTopic: topics.playerActivity.name,
      causePartition: partition,
      causeOffset: offset,
    }
    fates.set(offset, { kind: 'vectors', count: result.vectors.length })
    for (const { playerId, asOf, trigger, features } of result.vectors) {
      const vector = { playerId, asOf, trigger, ...cause, ...features }
      expectedVectors.set(keyOf(offset, playerId), vector as FeatureVector)
    }
    for (const outcome of result.outcomes) {
      const key = keyOf(offset, `${outcome.playerId} ${outcome.asOfDay}`)
      expectedOutcomes.set(key, { ...outcome, ...cause } as unknown as PlayerOutcome)
    }
    for (const change of state.takeChanges()) {
      const { playerId, appliedOffset } = change
      if (appliedOffset < committed) lastChange.set(playerId, appliedOffset)
      const image = input.state.get(playerId)
      if (image?.appliedOffset !== appliedOffset) continue
      matchedStates.add(playerId)
      const difference = differenceOf(image, change)
      if (difference === undefined) continue
      const where = place(topics.playerState.name, partition, appliedOffset)
      report({ kind: 'wrong-state', where, detail: `${playerId}: ${difference}` })
    }
  }
  eraseBefore(Infinity)
  for (const [offset, letters] of setAside) {
    const where = place(topics.playerActivity.name, partition, offset)
    report({ kind: 'unexpected', where, detail: `${letters} dead letters of no record` })
  }

  const vectorKey = (v: FeatureVector): string => keyOf(v.causeOffset, v.playerId)
  const outcomeKey = (o: PlayerOutcome): string =>
    keyOf(o.causeOffset, `${o.playerId} ${o.asOfDay}`)
  const checkOutputs = <T extends FeatureVector | PlayerOutcome>(
    topic: string,
    outputs: readonly At<T>[],
    expected: ReadonlyMap<string, T>,
    keyOfOutput: (output: T) => string,
    wrong: 'wrong-vector' | 'wrong-label',
  ): void => {
    const seen = new Set<string>()
    let newest = -1
    for (const { offset, value } of outputs) {
      const where = place(topic, partition, offset)
      const key = keyOfOutput(value)
      const { causeOffset, causeEventId: eventId } = value
      const wanted = expected.get(key)
      if (wanted === undefined || value.causePartition !== partition) {
        const detail = `its cause, offset ${causeOffset}, does not give rise to it`
        report({ kind: 'unexpected', where, detail, eventId })
        continue
      }
      if (seen.has(key)) {
        report({ kind: 'duplicated', where, detail: `a second output of ${key}`, eventId })
        continue
      }
      seen.add(key)
      if (causeOffset < newest) {
        const detail = `cause ${causeOffset} follows cause ${newest}`
        report({ kind: 'out-of-order', where, detail, eventId })
      }
      newest = Math.max(newest, causeOffset)
      const difference = differenceOf(value, wanted)
      if (difference !== undefined) report({ kind: wrong, where, detail: difference, eventId })
    }
    for (const [key, { causeOffset, causeEventId: eventId }] of expected) {
      if (seen.has(key)) continue
      if (causeOffset >= committed) {
        fates.set(causeOffset, { kind: 'in-flight' })
        continue
      }
      const where = place(topics.playerActivity.name, partition, causeOffset)
      report({ kind: 'lost', where, detail: `${topic} lacks ${key}`, eventId })
    }
  }
  checkOutputs(
    topics.featureVectors.name,
    input.vectors,
    expectedVectors,
    vectorKey,
    'wrong-vector',
  )
  checkOutputs(
    topics.playerOutcomes.name,
    input.outcomes,
    expectedOutcomes,
    outcomeKey,
    'wrong-label',
  )

  for (const [playerId, image] of input.state) {
    if (matchedStates.has(playerId)) continue
    const where = place(topics.playerState.name, partition, image.appliedOffset)
    report({ kind: 'wrong-state', where, detail: `${playerId}: no record changed it there` })
  }
  for (const [playerId, appliedOffset] of lastChange) {
    const image = input.state.get(playerId)
    if (image !== undefined && image.appliedOffset >= appliedOffset) continue
    const where = place(topics.playerState.name, partition, appliedOffset)
    const detail = `${playerId}: the changelog stands at ${image?.appliedOffset ?? 'nothing'}`
    report({ kind: 'wrong-state', where, detail })
  }
  return { breaches, fates }
}

const keyOf = (offset: number, rest: string): string => `${offset} ${rest}`

function counted(offsets: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const offset of offsets) counts.set(offset, (counts.get(offset) ?? 0) + 1)
  return counts
}

/** The first field that differs. `expected` says which fields there are. */
function differenceOf(found: object, expected: object): string | undefined {
  for (const [name, wanted] of Object.entries(expected)) {
    const has: unknown = (found as Record<string, unknown>)[name]
    if (has === wanted || JSON.stringify(has) === JSON.stringify(wanted)) continue
    return `${name} is ${JSON.stringify(has)}, the fold says ${JSON.stringify(wanted)}`
  }
  return undefined
}
