// What follows from the next record of a partition?
import type { PlayerActivity, PlayerState } from '@churnstream/schemas'
import { apply } from './apply.ts'
import { dayMs, dayOf, real, whole, type Block } from './block.ts'
import {
  labelsFromBet,
  labelsFromClock,
  nextLabelDay,
  nextSilenceAt,
  oweLabel,
  passSilence,
  type Label,
} from './labels.ts'
import { erasedState } from './erased-state.ts'
import { Players } from './players.ts'
import { toFeatures, type Features } from './vector.ts'
import { Wakes } from './wakes.ts'

export interface Vector {
  readonly playerId: string
  readonly asOf: number
  readonly trigger: 'activity' | 'clock'
  readonly features: Features
}

export interface Outcome extends Label {
  readonly playerId: string
  readonly market: string
  readonly knownAt: number
}

/** What one record gives rise to. A clock record may concern many players. */
export interface Result {
  readonly vectors: Vector[]
  readonly outcomes: Outcome[]
}

/** A player as of an instant that no record named. */
export interface Look {
  readonly playerId: string
  readonly lastSeenAt: number
  readonly features: Features
}

export interface Erased {
  readonly wasKnown: boolean
  readonly fromOffset: number
  /** Where a new life of the player may begin. */
  readonly untilOffset: number
}

/**
 * A clock record concerns so many players at most: they take a tenth of a second. Another number
 * would give other records for the same input, see docs/decisions/0124.
 */
export const playersPerClock = 4_000

export interface PartitionOptions {
  /** How many players lie unpacked, see Players. */
  readonly places?: number
  readonly playersPerClock?: number
}

/** The players of one partition. Time is data: it only asks what the records say. */
export class PartitionState {
  readonly #players: Players
  readonly #playersPerClock: number
  readonly #wakes: Wakes
  readonly #changed = new Set<number>()
  /** Erased players of whose activity some is still to come: where what is forgotten ends. */
  readonly #erasedBefore = new Map<string, number>()
  /** What the changelog is to say of erased players; null: nothing more. */
  readonly #erased = new Map<string, PlayerState | null>()

  constructor(options: PartitionOptions = {}) {
    const players = new Players(options.places)
    this.#players = players
    this.#playersPerClock = options.playersPerClock ?? playersPerClock
    this.#wakes = new Wakes((slot, other) => players.idOf(slot) < players.idOf(other))
  }

  get size(): number {
    return this.#players.size
  }

  /** Folds an event; a string says why it was not folded. */
  onActivity(event: PlayerActivity, offset: number): Result | 'duplicate' | 'too-late' | 'erased' {
    const players = this.#players
    if (this.#erasedBefore.size > 0) {
      this.#passErased(offset)
      if (this.#erasedBefore.has(event.playerId)) return 'erased'
    }
    const slot = players.find(event.playerId) ?? players.add(event.playerId)
    const block = players.at(slot)
    const applied = apply(players, block, event, offset)
    if (applied !== 'applied') return applied
    const betDay = event.kind === 'bet_placed' ? dayOf(event.occurredAt) : undefined
    const labels = betDay === undefined ? [] : labelsFromBet(block, betDay)
    const asOf = block.reals[block.realAt + real.lastSeenAt] as number
    const result: Result = {
      vectors: [this.#vector(slot, block, asOf, 'activity')],
      outcomes: this.#outcomes(slot, block, labels, event.occurredAt),
    }
    this.#reschedule(slot, block)
    return result
  }

  /**
   * Event time has reached clockAt: scores silence that is due and settles labels. When more players
   * are due than a clock record may concern, those who have been for longest come first, and the
   * others stay as they are: to them it is as if this clock record had not come.
   */
  onClock(clockAt: number, offset: number): Result {
    const players = this.#players
    this.#passErased(offset)
    const result: Result = { vectors: [], outcomes: [] }
    const due = this.#wakes.take(clockAt, this.#playersPerClock)
    due.sort((a, b) => (players.idOf(a) < players.idOf(b) ? -1 : 1))
    for (const slot of due) {
      const block = players.at(slot)
      const labels = labelsFromClock(block, dayOf(clockAt))
      if (passSilence(block, clockAt)) {
        const asOf = Math.max(clockAt, block.reals[block.realAt + real.lastSeenAt] as number)
        result.vectors.push(this.#vector(slot, block, asOf, 'clock'))
      }
      for (const outcome of this.#outcomes(slot, block, labels, clockAt)) {
        result.outcomes.push(outcome)
      }
      block.reals[block.realAt + real.appliedOffset] = offset
      this.#reschedule(slot, block)
    }
    return result
  }

  /** Milliseconds for which the first player is due who was left over; 0: nobody was. */
  latenessMs(clockAt: number): number {
    return this.#wakes.lateness(clockAt)
  }

  /**
   * Forgets a player. Activity is folded as far as `fromOffset`; what comes of theirs below
   * `untilOffset` is not folded either, and what comes behind it begins a new life.
   */
  erase(playerId: string, fromOffset: number, untilOffset: number): Erased {
    const slot = this.#players.find(playerId)
    if (slot !== undefined) this.#forget(slot)
    // An earlier request may reach further than this one.
    const until = Math.max(fromOffset, untilOffset, this.#erasedBefore.get(playerId) ?? 0)
    const isPassed = fromOffset >= until
    if (!isPassed) this.#erasedBefore.set(playerId, until)
    this.#erased.set(playerId, isPassed ? null : erasedState(playerId, until))
    return { wasKnown: slot !== undefined, fromOffset, untilOffset: until }
  }

  /**
   * Each player who was seen at or after an instant, by name, with the features as of another one
   * that no folded event may be later than. It changes nothing: no label is owed for a look.
   */
  *looksAt(asOf: number, seenSinceAt: number): Generator<Look> {
    const players = this.#players
    const slots = [...players.slots()]
    slots.sort((a, b) => (players.idOf(a) < players.idOf(b) ? -1 : 1))
    for (const slot of slots) {
      const block = players.at(slot)
      const lastSeenAt = block.reals[block.realAt + real.lastSeenAt] as number
      if (lastSeenAt < seenSinceAt) continue
      yield { playerId: players.idOf(slot), lastSeenAt, features: toFeatures(players, block, asOf) }
    }
  }

  /** Players changed since the last call, as changelog records. */
  takeChanges(): PlayerState[] {
    const changes = [...this.#changed].map((slot) => this.#players.snapshot(slot))
    this.#changed.clear()
    return changes
  }

  /** Erased players whose changelog record changed since the last call: to be written before changes. */
  takeErased(): [string, PlayerState | null][] {
    const erased = [...this.#erased]
    this.#erased.clear()
    return erased
  }

  /** Takes over what a changelog record says. */
  load(state: PlayerState): void {
    if (state.erasedBefore !== null) {
      this.unload(state.playerId)
      this.#erasedBefore.set(state.playerId, state.erasedBefore)
      return
    }
    this.#erasedBefore.delete(state.playerId)
    const slot = this.#players.load(state)
    this.#wakes.set(slot, wakeAt(this.#players.at(slot)))
  }

  /** Takes over a tombstone of the changelog. */
  unload(playerId: string): void {
    this.#erasedBefore.delete(playerId)
    const slot = this.#players.find(playerId)
    if (slot !== undefined) this.#forget(slot)
  }

  /** The state of a player as a changelog record would tell it. */
  snapshot(playerId: string): PlayerState | undefined {
    const slot = this.#players.find(playerId)
    return slot === undefined ? undefined : this.#players.snapshot(slot)
  }

  #vector(slot: number, block: Block, asOf: number, trigger: Vector['trigger']): Vector {
    const players = this.#players
    oweLabel(block, dayOf(asOf))
    return {
      playerId: players.idOf(slot),
      asOf,
      trigger,
      features: toFeatures(players, block, asOf),
    }
  }

  #outcomes(slot: number, block: Block, labels: Label[], knownAt: number): Outcome[] {
    const playerId = this.#players.idOf(slot)
    const market = this.#players.text(block.wholes[block.wholeAt + whole.market] as number) ?? ''
    return labels.map((label) => ({ ...label, playerId, market, knownAt }))
  }

  #forget(slot: number): void {
    // While they still have the name by which they wait.
    this.#wakes.forget(slot)
    this.#players.remove(slot)
    this.#changed.delete(slot)
  }

  /** The partition has come to an offset: whose forgotten activity ends before it? */
  #passErased(offset: number): void {
    for (const [playerId, before] of this.#erasedBefore) {
      if (offset < before) continue
      this.#erasedBefore.delete(playerId)
      this.#erased.set(playerId, null)
    }
  }

  #reschedule(slot: number, block: Block): void {
    this.#changed.add(slot)
    this.#wakes.set(slot, wakeAt(block))
  }
}

/** When a clock record has something to say of the player, and not before. */
function wakeAt(block: Block): number {
  const labelDay = nextLabelDay(block)
  return Math.min(nextSilenceAt(block), labelDay === undefined ? Infinity : labelDay * dayMs)
}
