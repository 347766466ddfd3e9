// What is known of a player, and where does it stand in their block of numbers?

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
  lastLabelDay: 5,
  idCount: 6,
  idNext: 7,
  pendingCount: 8,
  /** A bit for each tile that holds a day. */
  tilesHeld: 9,
  pending: 10,
  tiles: 10 + pendingMax,
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

/** In place of a day that never was. */
const noDay = -1

/** A player's block: where in which arrays its numbers stand. One object is moved about, never kept. */
export interface Block {
  reals: Float64Array
  realAt: number
  wholes: Int32Array
  wholeAt: number
}

/** Nothing is known yet. Numbers that no count and no bit speaks of may be anything. */
export function clear({ reals, realAt, wholes, wholeAt }: Block): void {
  reals.fill(NaN, realAt, realAt + real.appliedOffset)
  reals[realAt + real.appliedOffset] = 0
  wholes.fill(0, wholeAt, wholeAt + whole.pending)
  wholes[wholeAt + whole.lastLabelDay] = noDay
}

/** The tile that a day has, emptied first when an older day still stands in it. */
export function openTile(block: Block, day: number): number {
  const { reals, wholes } = block
  const tile = day % tileCount
  const w = tileWholeAt(block, tile)
  const held = wholes[block.wholeAt + whole.tilesHeld] as number
  const bit = 1 << tile
  if ((held & bit) === 0 || wholes[w + tileWhole.day] !== day) {
    const r = tileRealAt(block, tile)
    wholes.fill(0, w, w + tileWholes)
    reals.fill(0, r, r + tileReals)
    wholes[w + tileWhole.day] = day
    wholes[block.wholeAt + whole.tilesHeld] = held | bit
  }
  return tile
}

/** The first of the tiles in a set of bits; `held & (held - 1)` are the others. */
export const firstTile = (held: number): number => 31 - Math.clz32(held & -held)

export const tileWholeAt = (block: Block, tile: number): number =>
  block.wholeAt + whole.tiles + tile * tileWholes
export const tileRealAt = (block: Block, tile: number): number =>
  block.realAt + real.tiles + tile * tileReals
