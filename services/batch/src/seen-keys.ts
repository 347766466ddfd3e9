// Has this key been there before, among any number of them?
import { hash } from 'node:crypto'

const wordsPerKey = 4

/**
 * A set that keeps 128 bits of each key's SHA-256 in one array: 16 to 32 bytes a key where a Set of
 * texts takes a hundred. Two keys are never taken for one in practice.
 */
export class SeenKeys {
  #words = new Uint32Array(1024 * wordsPerKey)
  #count = 0

  /** False when it was there before. */
  add(key: string): boolean {
    if ((this.#count + 1) * 4 > (this.#words.length / wordsPerKey) * 3) this.#grow()
    const digest = hash('sha256', key, 'buffer')
    const words = new Uint32Array(wordsPerKey)
    for (let at = 0; at < wordsPerKey; at++) words[at] = digest.readUInt32LE(at * 4)
    // All zeros mark a free place.
    if (words.every((word) => word === 0)) words[0] = 1
    return this.#put(words, 0)
  }

  #put(from: Uint32Array, start: number): boolean {
    const words = this.#words
    const mask = words.length / wordsPerKey - 1
    for (let place = (from[start] as number) & mask; ; place = (place + 1) & mask) {
      const at = place * wordsPerKey
      if (isFree(words, at)) {
        for (let word = 0; word < wordsPerKey; word++) {
          words[at + word] = from[start + word] as number
        }
        this.#count++
        return true
      }
      if (isEqual(words, at, from, start)) return false
    }
  }

  #grow(): void {
    const before = this.#words
    this.#words = new Uint32Array(before.length * 2)
    this.#count = 0
    for (let at = 0; at < before.length; at += wordsPerKey) {
      if (!isFree(before, at)) this.#put(before, at)
    }
  }
}

function isFree(words: Uint32Array, at: number): boolean {
  for (let word = 0; word < wordsPerKey; word++) if (words[at + word] !== 0) return false
  return true
}

function isEqual(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let word = 0; word < wordsPerKey; word++) if (a[atA + word] !== b[atB + word]) return false
  return true
}
