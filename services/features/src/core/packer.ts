// How is a player's block written in few words? Instants and ids as they are, small numbers small.
import {
  dayOf,
  firstTile,
  noDay,
  openTile,
  real,
  tileReal,
  tileRealAt,
  tileWhole,
  tileWholeAt,
  whole,
  type Block,
} from './block.ts'

/** More than the longest block: 32 ids, 32 days that wait, 31 tiles of long sums. */
const maxBytes = 8192

/** The numbers of a block that are packed one by one; the others are counts, days or bits. */
const singles = [
  whole.market,
  whole.acquisitionSource,
  whole.firstProduct,
  whole.losingStreak,
  whole.silenceStep,
  whole.idNext,
] as const
const tileSums = Object.values(tileReal)
const tileCounts = Object.values(tileWhole).filter((index) => index !== tileWhole.day)

export class Packer {
  /** What pack has written, or unpack is to read. */
  readonly words = new Int32Array(maxBytes / 4)
  readonly #bytes = new Uint8Array(this.words.buffer)
  readonly #reals = new Float64Array(this.words.buffer)
  #at = 0

  /** How many words it takes. */
  pack(block: Block): number {
    const { reals, realAt, wholes, wholeAt } = block
    const idCount = wholes[wholeAt + whole.idCount] as number
    const held = wholes[wholeAt + whole.tilesHeld] as number
    this.words[0] = idCount
    this.words[1] = held
    const exact = real.ids + idCount
    for (let i = 0; i < exact; i++) this.#reals[1 + i] = reals[realAt + i] as number
    this.#at = (1 + exact) * 8

    for (const index of singles) this.#put(wholes[wholeAt + index] as number)
    const lastLabelDay = wholes[wholeAt + whole.lastLabelDay] as number
    this.#put(lastLabelDay - noDay)
    const pendingCount = wholes[wholeAt + whole.pendingCount] as number
    this.#put(pendingCount)
    for (let i = 0; i < pendingCount; i++) {
      this.#put(lastLabelDay - (wholes[wholeAt + whole.pending + i] as number))
    }
    const lastSeenDay = dayOf(reals[realAt + real.lastSeenAt] as number)
    for (let left = held; left !== 0; left &= left - 1) {
      const w = tileWholeAt(block, firstTile(left))
      const r = tileRealAt(block, firstTile(left))
      this.#put(lastSeenDay - (wholes[w + tileWhole.day] as number))
      for (const index of tileCounts) this.#put(wholes[w + index] as number)
      for (const index of tileSums) this.#put(reals[r + index] as number)
    }
    if (this.#at > maxBytes) throw new RangeError(`a block takes ${this.#at} bytes: a bug`)
    return Math.ceil(this.#at / 4)
  }

  unpack(block: Block): void {
    const { reals, realAt, wholes, wholeAt } = block
    const idCount = this.words[0] as number
    const exact = real.ids + idCount
    for (let i = 0; i < exact; i++) reals[realAt + i] = this.#reals[1 + i] as number
    wholes[wholeAt + whole.idCount] = idCount
    this.#at = (1 + exact) * 8

    for (const index of singles) wholes[wholeAt + index] = this.#get()
    const lastLabelDay = this.#get() + noDay
    wholes[wholeAt + whole.lastLabelDay] = lastLabelDay
    const pendingCount = this.#get()
    wholes[wholeAt + whole.pendingCount] = pendingCount
    for (let i = 0; i < pendingCount; i++) {
      wholes[wholeAt + whole.pending + i] = lastLabelDay - this.#get()
    }
    const lastSeenDay = dayOf(reals[realAt + real.lastSeenAt] as number)
    wholes[wholeAt + whole.tilesHeld] = 0
    for (let left = this.words[1] as number; left !== 0; left &= left - 1) {
      const tile = openTile(block, lastSeenDay - this.#get())
      const w = tileWholeAt(block, tile)
      const r = tileRealAt(block, tile)
      for (const index of tileCounts) wholes[w + index] = this.#get()
      for (const index of tileSums) reals[r + index] = this.#get()
    }
  }

  /** Seven bits a byte, the lowest first; the eighth says that more follow. */
  #put(value: number): void {
    if (value < 0) throw new RangeError(`${value} is packed, and can't be: a bug`)
    let left = value
    while (left >= 2 ** 31) {
      this.#bytes[this.#at++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    while (left >= 0x80) {
      this.#bytes[this.#at++] = (left & 0x7f) | 0x80
      left >>>= 7
    }
    this.#bytes[this.#at++] = left
  }

  #get(): number {
    let byte = this.#bytes[this.#at++] as number
    let value = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = this.#bytes[this.#at++] as number
      value += (byte & 0x7f) * scale
    }
    return value
  }
}
