// Which players does a clock record concern?

/** A binary heap of (time, slot), earliest first, with at most one valid entry a slot. */
export class Wakes {
  readonly #times: number[] = []
  readonly #slots: number[] = []
  /** The time of each slot's valid entry; entries with another time are left over. */
  readonly #valid: number[] = []

  /** Wakes the slot no later than this time. */
  set(slot: number, at: number): void {
    if (at === Infinity || (this.#valid[slot] ?? Infinity) <= at) return
    this.#valid[slot] = at
    this.#push(at, slot)
  }

  /** The slot is somebody else's from now on. */
  forget(slot: number): void {
    this.#valid[slot] = Infinity
  }

  /** Takes out every slot that is to wake by now. */
  take(now: number): number[] {
    const due: number[] = []
    while (this.#times.length > 0 && (this.#times[0] as number) <= now) {
      const at = this.#times[0] as number
      const slot = this.#slots[0] as number
      this.#pop()
      if (this.#valid[slot] !== at) continue
      this.#valid[slot] = Infinity
      due.push(slot)
    }
    return due
  }

  #push(at: number, slot: number): void {
    let child = this.#times.length
    this.#times.push(at)
    this.#slots.push(slot)
    while (child > 0) {
      const parent = (child - 1) >> 1
      if ((this.#times[parent] as number) <= at) break
      this.#swap(child, parent)
      child = parent
    }
  }

  #pop(): void {
    const lastTime = this.#times.pop() as number
    const lastSlot = this.#slots.pop() as number
    if (this.#times.length === 0) return
    this.#times[0] = lastTime
    this.#slots[0] = lastSlot
    let parent = 0
    for (;;) {
      const left = parent * 2 + 1
      const right = left + 1
      let least = parent
      if (left < this.#times.length && this.#at(left) < this.#at(least)) least = left
      if (right < this.#times.length && this.#at(right) < this.#at(least)) least = right
      if (least === parent) return
      this.#swap(parent, least)
      parent = least
    }
  }

  #at(index: number): number {
    return this.#times[index] as number
  }

  #swap(a: number, b: number): void {
    const time = this.#at(a)
    this.#times[a] = this.#at(b)
    this.#times[b] = time
    const slot = this.#slots[a] as number
    this.#slots[a] = this.#slots[b] as number
    this.#slots[b] = slot
  }
}
