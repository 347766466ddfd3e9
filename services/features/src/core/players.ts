// Where is what we know of each player kept? Packed, outside the JavaScript heap; who is at work, unpacked.
import type { PlayerState } from '@churnstream/schemas'
import {
  clear,
  firstTile,
  openTile,
  real,
  realsPerPlayer,
  recentIds,
  tileReal,
  tileRealAt,
  tileWhole,
  tileWholeAt,
  whole,
  wholesPerPlayer,
  type Block,
} from './block.ts'
import { Chunks, noChunk } from './chunks.ts'
import { Packer } from './packer.ts'

const nobody = -1

export class Players {
  readonly #slots = new Map<string, number>()
  readonly #ids: string[] = []
  /** Slots of players who were erased: the next ones to be given away. */
  readonly #free: number[] = []
  /** Where each slot's player lies packed; what lies unpacked is newer. */
  readonly #packedAt: number[] = []
  readonly #chunks = new Chunks()
  readonly #packer = new Packer()
  /** Whose blocks lie unpacked: each slot has one place for it, which it shares with others. */
  readonly #atWork: Int32Array
  readonly #block: Block
  readonly #codes = new Map<string, number>()
  readonly #texts: string[] = ['']

  /** @param places how many players lie unpacked, a power of two; more than a batch names. */
  constructor(places = 2048) {
    this.#atWork = new Int32Array(places).fill(nobody)
    this.#block = {
      reals: new Float64Array(places * realsPerPlayer),
      realAt: 0,
      wholes: new Int32Array(places * wholesPerPlayer),
      wholeAt: 0,
    }
  }

  get size(): number {
    return this.#slots.size
  }

  /** How much room the players at rest take. */
  get chunks(): Chunks['counts'] {
    return this.#chunks.counts
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

  /** The block of a slot, to read and to write; valid until the next call. */
  at(slot: number): Block {
    const place = slot & (this.#atWork.length - 1)
    const worker = this.#atWork[place] as number
    if (worker === slot) return this.#blockAt(place)
    if (worker !== nobody) this.#pack(place)
    this.#atWork[place] = slot
    const block = this.#blockAt(place)
    const packedAt = this.#packedAt[slot] as number
    if (packedAt === noChunk) {
      clear(block)
    } else {
      this.#chunks.read(packedAt, this.#packer.words)
      this.#packer.unpack(block)
    }
    return block
  }

  add(playerId: string): number {
    const slot = this.#free.pop() ?? this.#ids.length
    this.#ids[slot] = playerId
    this.#packedAt[slot] = noChunk
    this.#slots.set(playerId, slot)
    return slot
  }

  /** Nothing of the player is left, in their own place or in one that others have shared. */
  remove(slot: number): void {
    for (let place = 0; place < this.#atWork.length; place++) {
      if (this.#atWork[place] !== nobody) this.#pack(place)
    }
    this.#atWork.fill(nobody)
    this.#block.reals.fill(0)
    this.#block.wholes.fill(0)
    this.#packer.words.fill(0)
    this.#chunks.free(this.#packedAt[slot] as number)
    this.#packedAt[slot] = noChunk
    this.#slots.delete(this.idOf(slot))
    this.#ids[slot] = ''
    this.#free.push(slot)
  }

  #blockAt(place: number): Block {
    this.#block.realAt = place * realsPerPlayer
    this.#block.wholeAt = place * wholesPerPlayer
    return this.#block
  }

  #pack(place: number): void {
    const slot = this.#atWork[place] as number
    const count = this.#packer.pack(this.#blockAt(place))
    const packedAt = this.#packedAt[slot] as number
    this.#packedAt[slot] = this.#chunks.write(packedAt, this.#packer.words, count)
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
    const block = this.at(slot)
    const { reals, realAt, wholes, wholeAt } = block
    const instant = (index: number): number | null => {
      const at = reals[realAt + index] as number
      return Number.isNaN(at) ? null : at
    }
    const count = wholes[wholeAt + whole.idCount] as number
    const next = wholes[wholeAt + whole.idNext] as number
    // Loops: Array.from would take as long as all the rest.
    const recentEventIds: number[] = []
    for (let i = next - count; i < next; i++) {
      recentEventIds.push(reals[realAt + real.ids + ((i + recentIds) % recentIds)] as number)
    }
    const pendingLabelDays: number[] = []
    const pendingCount = wholes[wholeAt + whole.pendingCount] as number
    for (let i = 0; i < pendingCount; i++) {
      pendingLabelDays.push(wholes[wholeAt + whole.pending + i] as number)
    }
    const tiles: PlayerState['tiles'] = []
    let held = wholes[wholeAt + whole.tilesHeld] as number
    for (; held !== 0; held &= held - 1) {
      const w = tileWholeAt(block, firstTile(held))
      const r = tileRealAt(block, firstTile(held))
      tiles.push({
        day: wholes[w + tileWhole.day] as number,
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
      pendingLabelDays,
      erasedBefore: null,
    }
  }

  /** Replaces a player by what a changelog record says. */
  load(state: PlayerState): number {
    const slot = this.#slots.get(state.playerId) ?? this.add(state.playerId)
    const block = this.at(slot)
    const { reals, realAt, wholes, wholeAt } = block
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
    wholes[wholeAt + whole.tilesHeld] = 0
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
