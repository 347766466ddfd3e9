// How is a player's block written in few words, and soon?
import {
  dayOf,
  firstTile,
  real,
  tileReal,
  tileRealAt,
  tileWhole,
  tileWholeAt,
  whole,
  type Block,
} from './block.ts'

/** More than the longest block: 32 ids, 32 days that wait, 31 wide tiles. */
const maxWords = 1024

/** From the market to lastLabelDay: as they are, behind the tiles held and the counts. */
const singles = whole.lastLabelDay + 1
const singlesAt = 2
const realsAt = (singlesAt + singles) / 2

/** A tile of a usual day takes four words, one with deposits or withdrawals six; wide fits all. */
const form = { usual: 0, money: 1, wide: 2 } as const
const wideWords = 18

export class Packer {
  /** What pack has written, or unpack is to read. */
  readonly words = new Int32Array(maxWords)
  readonly #reals = new Float64Array(this.words.buffer)

  /** How many words it takes. */
  pack(block: Block): number {
    const { reals, realAt, wholes, wholeAt } = block
    const words = this.words
    const idCount = wholes[wholeAt + whole.idCount] as number
    const pendingCount = wholes[wholeAt + whole.pendingCount] as number
    const held = wholes[wholeAt + whole.tilesHeld] as number
    words[0] = held
    words[1] = idCount | ((wholes[wholeAt + whole.idNext] as number) << 8) | (pendingCount << 16)
    for (let i = 0; i < singles; i++) words[singlesAt + i] = wholes[wholeAt + i] as number
    const realCount = real.ids + idCount
    for (let i = 0; i < realCount; i++) this.#reals[realsAt + i] = reals[realAt + i] as number
    let at = 2 * (realsAt + realCount)
    const pending = wholeAt + whole.pending
    for (let i = 0; i < pendingCount; i++) words[at++] = wholes[pending + i] as number
    const lastSeenDay = dayOf(reals[realAt + real.lastSeenAt] as number)
    for (let left = held; left !== 0; left &= left - 1) {
      at = packTile(block, firstTile(left), lastSeenDay, words, at)
    }
    return at
  }

  unpack(block: Block): void {
    const { reals, realAt, wholes, wholeAt } = block
    const words = this.words
    const held = words[0] as number
    const counts = words[1] as number
    const idCount = counts & 0xff
    const pendingCount = counts >> 16
    wholes[wholeAt + whole.tilesHeld] = held
    wholes[wholeAt + whole.idCount] = idCount
    wholes[wholeAt + whole.idNext] = (counts >> 8) & 0xff
    wholes[wholeAt + whole.pendingCount] = pendingCount
    for (let i = 0; i < singles; i++) wholes[wholeAt + i] = words[singlesAt + i] as number
    const realCount = real.ids + idCount
    for (let i = 0; i < realCount; i++) reals[realAt + i] = this.#reals[realsAt + i] as number
    let at = 2 * (realsAt + realCount)
    const pending = wholeAt + whole.pending
    for (let i = 0; i < pendingCount; i++) wholes[pending + i] = words[at++] as number
    const lastSeenDay = dayOf(reals[realAt + real.lastSeenAt] as number)
    for (let left = held; left !== 0; left &= left - 1) {
      at = unpackTile(block, firstTile(left), lastSeenDay, words, at)
    }
  }
}

/** Returns where the next one begins. */
function packTile(
  block: Block,
  tile: number,
  lastSeenDay: number,
  words: Int32Array,
  at: number,
): number {
  const { reals, wholes } = block
  const w = tileWholeAt(block, tile)
  const r = tileRealAt(block, tile)
  const age = lastSeenDay - (wholes[w + tileWhole.day] as number)
  const bets = wholes[w + tileWhole.bets] as number
  const inPlayBets = wholes[w + tileWhole.inPlayBets] as number
  const settled = wholes[w + tileWhole.settled] as number
  const deposits = wholes[w + tileWhole.deposits] as number
  const withdrawals = wholes[w + tileWhole.withdrawals] as number
  const sessions = wholes[w + tileWhole.sessions] as number
  const stake = reals[r + tileReal.stake] as number
  const odds = reals[r + tileReal.odds] as number
  const payout = reals[r + tileReal.payout] as number
  const depositAmount = reals[r + tileReal.depositAmount] as number
  const withdrawalAmount = reals[r + tileReal.withdrawalAmount] as number
  const isWide =
    (age | bets | inPlayBets | settled) >>> 8 !== 0 ||
    sessions >>> 6 !== 0 ||
    (deposits | withdrawals) >>> 4 !== 0 ||
    stake >= 2 ** 32 ||
    payout >= 2 ** 32 ||
    depositAmount >= 2 ** 32 ||
    odds >= 2 ** 24 ||
    withdrawalAmount >= 2 ** 24
  if (isWide) {
    words[at] = form.wide
    for (let i = 0; i <= tileWhole.sessions; i++) words[at + 1 + i] = wholes[w + i] as number
    for (let i = 0; i <= tileReal.withdrawalAmount; i++) {
      const sum = reals[r + i] as number
      words[at + 8 + 2 * i] = Math.floor(sum / 2 ** 32)
      words[at + 9 + 2 * i] = sum
    }
    return at + wideWords
  }
  const hasMoney = deposits + withdrawals + depositAmount + withdrawalAmount !== 0
  const named = hasMoney ? form.money : form.usual
  words[at] = named | (sessions << 2) | (age << 8) | (bets << 16) | (inPlayBets << 24)
  words[at + 1] = odds | (settled << 24)
  words[at + 2] = stake
  words[at + 3] = payout
  if (!hasMoney) return at + 4
  words[at + 4] = depositAmount
  words[at + 5] = withdrawalAmount | (deposits << 24) | (withdrawals << 28)
  return at + 6
}

function unpackTile(
  block: Block,
  tile: number,
  lastSeenDay: number,
  words: Int32Array,
  at: number,
): number {
  const { reals, wholes } = block
  const w = tileWholeAt(block, tile)
  const r = tileRealAt(block, tile)
  const head = words[at] as number
  const named = head & 3
  if (named === form.wide) {
    for (let i = 0; i <= tileWhole.sessions; i++) wholes[w + i] = words[at + 1 + i] as number
    for (let i = 0; i <= tileReal.withdrawalAmount; i++) {
      const high = words[at + 8 + 2 * i] as number
      reals[r + i] = high * 2 ** 32 + ((words[at + 9 + 2 * i] as number) >>> 0)
    }
    return at + wideWords
  }
  const second = words[at + 1] as number
  wholes[w + tileWhole.day] = lastSeenDay - ((head >> 8) & 0xff)
  wholes[w + tileWhole.bets] = (head >> 16) & 0xff
  wholes[w + tileWhole.inPlayBets] = head >>> 24
  wholes[w + tileWhole.settled] = second >>> 24
  wholes[w + tileWhole.sessions] = (head >> 2) & 0x3f
  reals[r + tileReal.odds] = second & 0xffffff
  reals[r + tileReal.stake] = (words[at + 2] as number) >>> 0
  reals[r + tileReal.payout] = (words[at + 3] as number) >>> 0
  const hasMoney = named === form.money
  const money = hasMoney ? (words[at + 5] as number) : 0
  wholes[w + tileWhole.deposits] = (money >> 24) & 0xf
  wholes[w + tileWhole.withdrawals] = money >>> 28
  reals[r + tileReal.depositAmount] = hasMoney ? (words[at + 4] as number) >>> 0 : 0
  reals[r + tileReal.withdrawalAmount] = money & 0xffffff
  return hasMoney ? at + 6 : at + 4
}
