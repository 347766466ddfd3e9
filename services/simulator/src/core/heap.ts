// What comes next, of many things that wait for their time?

/** Smallest time first; of equal times, the one pushed first. */
export class Heap<Item> {
  #times: number[] = []
  #turns: number[] = []
  #items: Item[] = []
  #pushed = 0

  get size(): number {
    return this.#items.length
  }

  /** Infinity when empty. */
  get nextAt(): number {
    return this.#times[0] ?? Infinity
  }

  push(at: number, item: Item): void {
    this.#place(this.#items.length, at, this.#pushed++, item)
  }

  pop(): Item | undefined {
    const top = this.#items[0]
    const at = this.#times.pop()
    const turn = this.#turns.pop()
    const item = this.#items.pop()
    if (at === undefined || turn === undefined || this.#items.length === 0) return top
    this.#sink(at, turn, item as Item)
    return top
  }

  /** Moves parents down from the free slot until the item fits. */
  #place(start: number, at: number, turn: number, item: Item): void {
    const times = this.#times
    let slot = start
    while (slot > 0) {
      const parent = (slot - 1) >> 1
      // A later push never goes before an equal time, so the turn need not be looked at.
      if ((times[parent] as number) <= at) break
      this.#move(parent, slot)
      slot = parent
    }
    this.#set(slot, at, turn, item)
  }

  #sink(at: number, turn: number, item: Item): void {
    const times = this.#times
    const size = times.length
    let slot = 0
    for (;;) {
      let child = 2 * slot + 1
      if (child >= size) break
      if (child + 1 < size && this.#before(child + 1, child)) child++
      if (!this.#precedes(child, at, turn)) break
      this.#move(child, slot)
      slot = child
    }
    this.#set(slot, at, turn, item)
  }

  #before(one: number, other: number): boolean {
    return this.#precedes(one, this.#times[other] as number, this.#turns[other] as number)
  }

  #precedes(slot: number, at: number, turn: number): boolean {
    const time = this.#times[slot] as number
    return time < at || (time === at && (this.#turns[slot] as number) < turn)
  }

  #move(from: number, to: number): void {
    const at = this.#times[from] as number
    this.#set(to, at, this.#turns[from] as number, this.#items[from] as Item)
  }

  #set(slot: number, at: number, turn: number, item: Item): void {
    this.#times[slot] = at
    this.#turns[slot] = turn
    this.#items[slot] = item
  }
}
