// Where do players of any length lie, with no room lost when they grow? In chains of small chunks.

/** One line of the processor's cache: fifteen words of a player and the number of the next chunk. */
const chunkWords = 16
const wordsHeld = chunkWords - 1
const link = wordsHeld
const pageBits = 12
const pageChunks = 1 << pageBits

/** Ends a chain. No chunk has this number. */
export const noChunk = 0

export class Chunks {
  readonly #pages: Int32Array[] = []
  /** Begins the chain of those that were given back, all of them zero. */
  #firstFree = noChunk
  #made = 1
  #free = 0

  /** How many there are, in use and free. */
  get counts(): { readonly made: number; readonly free: number } {
    return { made: this.#made - 1, free: this.#free }
  }

  /** Writes words over a chain, or a new one after noChunk, and gives back what is left of it. */
  write(first: number, words: Int32Array, count: number): number {
    const start = first === noChunk ? this.#take() : first
    let chunk = start
    for (let from = 0; ; from += wordsHeld) {
      const page = this.#pages[chunk >> pageBits] as Int32Array
      const at = (chunk & (pageChunks - 1)) * chunkWords
      const held = Math.min(wordsHeld, count - from)
      for (let i = 0; i < held; i++) page[at + i] = words[from + i] as number
      const next = page[at + link] as number
      if (from + held === count) {
        page[at + link] = noChunk
        this.free(next)
        return start
      }
      chunk = next === noChunk ? this.#take() : next
      page[at + link] = chunk
    }
  }

  /** Reads a chain into words, whole chunks: more than was written may come. */
  read(first: number, words: Int32Array): void {
    let to = 0
    for (let chunk = first; chunk !== noChunk; to += wordsHeld) {
      const page = this.#pages[chunk >> pageBits] as Int32Array
      const at = (chunk & (pageChunks - 1)) * chunkWords
      for (let i = 0; i < wordsHeld; i++) words[to + i] = page[at + i] as number
      chunk = page[at + link] as number
    }
  }

  /** Gives a chain back. Nothing is left in it. */
  free(first: number): void {
    let chunk = first
    while (chunk !== noChunk) {
      const page = this.#pages[chunk >> pageBits] as Int32Array
      const at = (chunk & (pageChunks - 1)) * chunkWords
      const next = page[at + link] as number
      page.fill(0, at, at + wordsHeld)
      page[at + link] = this.#firstFree
      this.#firstFree = chunk
      this.#free++
      chunk = next
    }
  }

  #take(): number {
    const chunk = this.#firstFree
    if (chunk === noChunk) {
      if (this.#made >> pageBits === this.#pages.length) {
        this.#pages.push(new Int32Array(pageChunks * chunkWords))
      }
      return this.#made++
    }
    const page = this.#pages[chunk >> pageBits] as Int32Array
    const at = (chunk & (pageChunks - 1)) * chunkWords + link
    this.#firstFree = page[at] as number
    page[at] = noChunk
    this.#free--
    return chunk
  }
}
