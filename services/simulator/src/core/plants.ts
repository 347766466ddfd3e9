// What changes in the world, and from when on? Drifts that a monitor must find, or must leave alone.

const dayMs = 24 * 60 * 60 * 1000

export const plantKinds = [
  'season-end',
  'new-channel',
  'stake-inflation',
  'concept-drift',
  'broken-feed',
  'slow-leak',
] as const
export type PlantKind = (typeof plantKinds)[number]

/** A change of the world. What happened before `from` is as it is without it. */
export interface Plant {
  readonly kind: PlantKind
  /** Instant from which on it holds. */
  readonly from: number
}

export const plantSettings = {
  /** Fewer bets on an active day, and fewer of them in play: the leagues pause. */
  seasonEndBets: 0.25,
  seasonEndInPlay: 0.3,
  /** Share of new players who come through a channel that nobody has seen. */
  newChannelShare: 0.5,
  newChannel: 'influencer',
  stakeFactor: 2.5,
  /** Share of the sessions that is lost more each day, and at most. */
  leakPerDay: 0.012,
  leakMost: 0.9,
  /** Who would have left is back after so many days; of those on a break so many are gone. */
  backAfterDays: [12, 24],
  goneShareOfBreaks: 0.5,
} as const

/** What holds at an instant. */
export class Plants {
  readonly #from: ReadonlyMap<PlantKind, number>

  constructor(plants: readonly Plant[] = []) {
    this.#from = new Map(plants.map(({ kind, from }) => [kind, from]))
  }

  holds(kind: PlantKind, at: number): boolean {
    return at >= (this.#from.get(kind) ?? Infinity)
  }

  /** Days since it began; negative before. */
  age(kind: PlantKind, at: number): number {
    return (at - (this.#from.get(kind) ?? Infinity)) / dayMs
  }
}
