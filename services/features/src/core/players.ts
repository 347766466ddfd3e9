// Where is what we know of each player kept? A table of fixed-size blocks outside the JavaScript heap.
import type { PlayerState } from '@churnstream/schemas'

export const dayMs = 86_400_000
/** UTC day since the epoch. */
export const dayOf = (at: number): number => Math.floor(at / dayMs)

/** An event may come this many days after the newest one of its player and still be counted. */
export const lateDays = 30
/** One tile for each day that can still change or be asked for. */
export const tileCount = lateDays + 1
/** A repeated event id is recognised among this many newest ids of its player. */
export const recentIds = 32
/** More label days than a player can have waiting: horizon, lateness and today. */
export const pendingMax = 32

/** Instants and sums that need 53 bits. NaN in an instant: never. */
export const real = {
  firstSeenAt: 0,
  firstBetAt: 1,
  lastBetAt: 2,
  lastDepositAt: 3,
  lastSessionAt: 4,
  lastSettledAt: 5,
  lastSeenAt: 6,
  appliedOffset: 7,
  ids: 8,
  tiles: 8 + recentIds,
} as const
/** Sums of one day: money in hundredths and odds in thousandths, so that order does not matter. */
export const tileReal = {
  stake: 0,
  odds: 1,
  payout: 2,
  depositAmount: 3,
  withdrawalAmount: 4,
} as const
const tileReals = 5
export const realsPerPlayer = real.tiles + tileCount * tileReals

export const whole = {
  market: 0,
  acquisitionSource: 1,
  firstProduct: 2,
  losingStreak: 3,
  silenceStep: 4,
  idCount: 5,
  idNext: 6,
  pendingCount: 7,
  lastLabelDay: 8,
  pending: 9,
  tiles: 9 + pendingMax,
} as const
export const tileWhole = {
  day: 0,
  bets: 1,
  inPlayBets: 2,
  settled: 3,
  deposits: 4,
  withdrawals: 5,
  sessions: 6,
} as const
const tileWholes = 7
export const wholesPerPlayer = whole.tiles + tileCount * tileWholes

export const bytesPerPlayer = realsPerPlayer * 8 + wholesPerPlayer * 4

const pageBits = 10
const pageSlots = 1 << pageBits
const noDay = -1

/** A player's block: where in which arrays its numbers stand. One object is moved about, never kept. */
export interface Block {
  reals: Float64Array
  realAt: number
  wholes: Int32Array
  wholeAt: number
}

export class Players {
  readonly #slots = new Map<string, number>()
  readonly #ids: string[] = []
  /** Slots of players who were erased: the next ones to be given away. */
  readonly #free: number[] = []
  readonly #realPages: Float64Array[] = []
  readonly #wholePages: Int32Array[] = []
  readonly #codes = new Map<string, number>()
  readonly #texts: string[] = ['']
  readonly #block: Block = {
    reals: new Float64Array(),
    realAt: 0,
    wholes: new Int32Array(),
    wholeAt: 0,
  }

  get size(): number {
    return this.#slots.size
  }

  /** In no order. */
  slots(): Iterable<number> {
    return this.#slots.values()
  }

  idOf(slot: number): string {
    return this.#ids[slot] as string
  }

  find(playerId: string): number | undefined {
    return this.#slots.get(playerId)
  }

  /** The block of a slot; valid until the next call. */
  at(slot: number): Block {
    const block = this.#block
    const inPage = slot & (pageSlots - 1)
    block.reals = this.#realPages[slot >> pageBits] as Float64Array
    block.wholes = this.#wholePages[slot >> pageBits] as Int32Array
    block.realAt = inPage * realsPerPlayer
    block.wholeAt = inPage * wholesPerPlayer
    return block
  }

  add(playerId: string): number {
    const slot = this.#free.pop() ?? this.#ids.length
    if (slot === this.#ids.length && (slot & (pageSlots - 1)) === 0) {
      this.#realPages.push(new Float64Array(pageSlots * realsPerPlayer))
      this.#wholePages.push(new Int32Array(pageSlots * wholesPerPlayer))
    }
    this.#ids[slot] = playerId
    this.#slots.set(playerId, slot)
    const { reals, realAt, wholes, wholeAt } = this.at(slot)
    reals.fill(NaN, realAt, realAt + real.appliedOffset)
    wholes[wholeAt + whole.lastLabelDay] = noDay
    for (let tile = 0; tile < tileCount; tile++) {
      wholes[wholeAt + whole.tiles + tile * tileWholes + tileWhole.day] = noDay
    }
    return slot
  }

  /** Nothing of the player is left in the block. */
  remove(slot: number): void {
    const { reals, realAt, wholes, wholeAt } = this.at(slot)
    reals.fill(0, realAt, realAt + realsPerPlayer)
    wholes.fill(0, wholeAt, wholeAt + wholesPerPlayer)
    this.#slots.delete(this.idOf(slot))
    this.#ids[slot] = ''
    this.#free.push(slot)
  }

  /** A text's code, 0 for none. Texts are few: markets, sources, products. */
  code(text: string | null): number {
    if (text === null || text === '') return 0
    const known = this.#codes.get(text)
    if (known !== undefined) return known
    this.#texts.push(text)
    this.#codes.set(text, this.#texts.length - 1)
    return this.#texts.length - 1
  }

  text(code: number): string | null {
    return code === 0 ? null : (this.#texts[code] as string)
  }

  /** The player as a changelog record. */
  snapshot(slot: number): PlayerState {
    const { reals, realAt, wholes, wholeAt } = this.at(slot)
    const instant = (index: number): number | null => {
      const at = reals[realAt + index] as number
      return Number.isNaN(at) ? null : at
    }
    const count = wholes[wholeAt + whole.idCount] as number
    const next = wholes[wholeAt + whole.idNext] as number
    const recentEventIds = Array.from(
      { length: count },
      (_, i) => reals[realAt + real.ids + ((next - count + i + recentIds) % recentIds)] as number,
    )
    const pendingCount = wholes[wholeAt + whole.pendingCount] as number
    const pendingAt = wholeAt + whole.pending
    const tiles: PlayerState['tiles'] = []
    for (let tile = 0; tile < tileCount; tile++) {
      const w = wholeAt + whole.tiles + tile * tileWholes
      const r = realAt + real.tiles + tile * tileReals
      const day = wholes[w + tileWhole.day] as number
      if (day === noDay) continue
      tiles.push({
        day,
        bets: wholes[w + tileWhole.bets] as number,
        inPlayBets: wholes[w + tileWhole.inPlayBets] as number,
        stake: reals[r + tileReal.stake] as number,
        odds: reals[r + tileReal.odds] as number,
        settled: wholes[w + tileWhole.settled] as number,
        payout: reals[r + tileReal.payout] as number,
        deposits: wholes[w + tileWhole.deposits] as number,
        depositAmount: reals[r + tileReal.depositAmount] as number,
        withdrawals: wholes[w + tileWhole.withdrawals] as number,
        withdrawalAmount: reals[r + tileReal.withdrawalAmount] as number,
        sessions: wholes[w + tileWhole.sessions] as number,
      })
    }
    tiles.sort((a, b) => a.day - b.day)
    return {
      playerId: this.idOf(slot),
      appliedOffset: reals[realAt + real.appliedOffset] as number,
      market: this.text(wholes[wholeAt + whole.market] as number) ?? '',
      acquisitionSource: this.text(wholes[wholeAt + whole.acquisitionSource] as number),
      firstProduct: this.text(wholes[wholeAt + whole.firstProduct] as number),
      firstSeenAt: reals[realAt + real.firstSeenAt] as number,
      firstBetAt: instant(real.firstBetAt),
      lastBetAt: instant(real.lastBetAt),
      lastDepositAt: instant(real.lastDepositAt),
      lastSessionAt: instant(real.lastSessionAt),
      lastSettledAt: instant(real.lastSettledAt),
      lastSeenAt: reals[realAt + real.lastSeenAt] as number,
      losingStreak: wholes[wholeAt + whole.losingStreak] as number,
      silenceStep: wholes[wholeAt + whole.silenceStep] as number,
      lastLabelDay: wholes[wholeAt + whole.lastLabelDay] as number,
      tiles,
      recentEventIds,
      pendingLabelDays: Array.from(wholes.subarray(pendingAt, pendingAt + pendingCount)),
      erasedBefore: null,
    }
  }

  /** Replaces a player by what a changelog record says. */
  load(state: PlayerState): number {
    const slot = this.#slots.get(state.playerId) ?? this.add(state.playerId)
    const { reals, realAt, wholes, wholeAt } = this.at(slot)
    const setInstant = (index: number, at: number | null) => (reals[realAt + index] = at ?? NaN)
    setInstant(real.firstSeenAt, state.firstSeenAt)
    setInstant(real.firstBetAt, state.firstBetAt)
    setInstant(real.lastBetAt, state.lastBetAt)
    setInstant(real.lastDepositAt, state.lastDepositAt)
    setInstant(real.lastSessionAt, state.lastSessionAt)
    setInstant(real.lastSettledAt, state.lastSettledAt)
    setInstant(real.lastSeenAt, state.lastSeenAt)
    reals[realAt + real.appliedOffset] = state.appliedOffset
    reals.set(state.recentEventIds, realAt + real.ids)
    wholes[wholeAt + whole.idCount] = state.recentEventIds.length
    wholes[wholeAt + whole.idNext] = state.recentEventIds.length % recentIds
    wholes[wholeAt + whole.market] = this.code(state.market)
    wholes[wholeAt + whole.acquisitionSource] = this.code(state.acquisitionSource)
    wholes[wholeAt + whole.firstProduct] = this.code(state.firstProduct)
    wholes[wholeAt + whole.losingStreak] = state.losingStreak
    wholes[wholeAt + whole.silenceStep] = state.silenceStep
    wholes[wholeAt + whole.lastLabelDay] = state.lastLabelDay
    wholes[wholeAt + whole.pendingCount] = state.pendingLabelDays.length
    wholes.set(state.pendingLabelDays, wholeAt + whole.pending)
    for (let tile = 0; tile < tileCount; tile++) {
      wholes[wholeAt + whole.tiles + tile * tileWholes + tileWhole.day] = noDay
    }
    const block: Block = { reals, realAt, wholes, wholeAt }
    for (const day of state.tiles) {
      const tile = openTile(block, day.day)
      const w = tileWholeAt(block, tile)
      const r = tileRealAt(block, tile)
      wholes[w + tileWhole.bets] = day.bets
      wholes[w + tileWhole.inPlayBets] = day.inPlayBets
      wholes[w + tileWhole.settled] = day.settled
      wholes[w + tileWhole.deposits] = day.deposits
      wholes[w + tileWhole.withdrawals] = day.withdrawals
      wholes[w + tileWhole.sessions] = day.sessions
      reals[r + tileReal.stake] = day.stake
      reals[r + tileReal.odds] = day.odds
      reals[r + tileReal.payout] = day.payout
      reals[r + tileReal.depositAmount] = day.depositAmount
      reals[r + tileReal.withdrawalAmount] = day.withdrawalAmount
    }
    return slot
  }
}

/** The tile that a day has, emptied first when an older day still stands in it. */
export function openTile(block: Block, day: number): number {
  const tile = day % tileCount
  const w = tileWholeAt(block, tile)
  if (block.wholes[w + tileWhole.day] !== day) {
    const r = tileRealAt(block, tile)
    block.wholes.fill(0, w, w + tileWholes)
    block.reals.fill(0, r, r + tileReals)
    block.wholes[w + tileWhole.day] = day
  }
  return tile
}

export const tileWholeAt = (block: Block, tile: number): number =>
  block.wholeAt + whole.tiles + tile * tileWholes
export const tileRealAt = (block: Block, tile: number): number =>
  block.realAt + real.tiles + tile * tileReals
