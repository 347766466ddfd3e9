// Which players does a clock record concern?

const nowhere = -1
/** Below each place of the heap: with four a slot that moves passes half as many as with two. */
const fanOut = 4
const above = (place: number): number => ((place - 1) / fanOut) | 0

/**
 * A heap of slots, who wakes first on top. A slot has one entry at most, always at its own
 * time: what is taken depends on when players wake, and not on how they came to.
 */
export class Wakes {
  readonly #slots: number[] = []
  /** Of the slots, place by place. */
  readonly #times: number[] = []
  /** Of each slot, where its entry is. */
  readonly #places: number[] = []
  readonly #isBefore: (slot: number, other: number) => boolean

  /** @param isBefore of two slots that wake at the same instant; it may not change while they wait. */
  constructor(isBefore: (slot: number, other: number) => boolean) {
    this.#isBefore = isBefore
  }

  /** Wakes the slot at this time, and at no other. Infinity: never. */
  set(slot: number, at: number): void {
    const place = this.#places[slot] ?? nowhere
    if (at === Infinity) this.forget(slot)
    else if (place === nowhere) this.#rise(this.#slots.length, slot, at)
    else if (at < (this.#times[place] as number)) this.#rise(place, slot, at)
    else if (at > (this.#times[place] as number)) this.#sink(place, slot, at)
  }

  forget(slot: number): void {
    const place = this.#places[slot] ?? nowhere
    if (place === nowhere) return
    this.#places[slot] = nowhere
    const last = this.#slots.pop() as number
    const lastAt = this.#times.pop() as number
    if (place === this.#slots.length) return
    if (place > 0 && this.#precedes(last, lastAt, above(place))) this.#rise(place, last, lastAt)
    else this.#sink(place, last, lastAt)
  }

  /** Takes out slots that are to wake by now, so many at most: those that have waited longest. */
  take(now: number, most: number): number[] {
    const due: number[] = []
    while (due.length < most && this.#slots.length > 0 && (this.#times[0] as number) <= now) {
      const slot = this.#slots[0] as number
      due.push(slot)
      this.forget(slot)
    }
    return due
  }

  /** For how long the first was to wake by now; 0: nobody is. */
  lateness(now: number): number {
    return Math.max(0, now - (this.#times[0] ?? now))
  }

  /** Puts an entry in a place or above it. */
  #rise(from: number, slot: number, at: number): void {
    let place = from
    while (place > 0) {
      const next = above(place)
      if (!this.#precedes(slot, at, next)) break
      this.#put(place, this.#slots[next] as number, this.#times[next] as number)
      place = next
    }
    this.#put(place, slot, at)
  }

  /** Puts an entry in a place or below it. */
  #sink(from: number, slot: number, at: number): void {
    const count = this.#slots.length
    let place = from
    for (;;) {
      const first = place * fanOut + 1
      if (first >= count) break
      const end = Math.min(first + fanOut, count)
      let below = first
      for (let other = first + 1; other < end; other++) {
        const otherSlot = this.#slots[other] as number
        if (this.#precedes(otherSlot, this.#times[other] as number, below)) below = other
      }
      if (this.#precedes(slot, at, below)) break
      this.#put(place, this.#slots[below] as number, this.#times[below] as number)
      place = below
    }
    this.#put(place, slot, at)
  }

  #precedes(slot: number, at: number, place: number): boolean {
    const otherAt = this.#times[place] as number
    return at < otherAt || (at === otherAt && this.#isBefore(slot, this.#slots[place] as number))
  }

  #put(place: number, slot: number, at: number): void {
    this.#slots[place] = slot
    this.#times[place] = at
    this.#places[slot] = place
  }
}
