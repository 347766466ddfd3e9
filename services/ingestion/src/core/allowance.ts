// May this player put one more event in front of the others of its partition?

export interface AllowanceSettings {
  /** Of one player, in the long run; 0: no bound. */
  readonly eventsPerSecond: number
  /** Of one player, at once. */
  readonly burstEvents: number
}

interface Bucket {
  tokens: number
  at: number
}

const sweepFrom = 10_000

/**
 * A token bucket for each player. Within any t seconds a player gets at most
 * burstEvents + t * eventsPerSecond events through one of these.
 */
export class Allowance {
  readonly #settings: AllowanceSettings
  readonly #buckets = new Map<string, Bucket>()
  #sweepAt = sweepFrom

  constructor(settings: AllowanceSettings) {
    this.#settings = settings
  }

  /** Players of whom something is remembered: those who sent within the time of a refill. */
  get size(): number {
    return this.#buckets.size
  }

  /**
   * Undefined: taken. Else milliseconds until the player has room for this event behind `ahead`
   * others that wait. `now` in milliseconds of a clock that never goes back.
   */
  take(playerId: string, ahead: number, now: number): number | undefined {
    const { eventsPerSecond, burstEvents } = this.#settings
    if (eventsPerSecond === 0) return undefined
    const bucket = this.#buckets.get(playerId) ?? this.#open(playerId, now)
    const refilled = ((now - bucket.at) / 1000) * eventsPerSecond
    bucket.tokens = Math.min(burstEvents, bucket.tokens + refilled)
    bucket.at = now
    if (ahead === 0 && bucket.tokens >= 1) {
      bucket.tokens--
      return undefined
    }
    const missing = Math.min(burstEvents, ahead + 1) - bucket.tokens
    return Math.ceil((missing / eventsPerSecond) * 1000)
  }

  #open(playerId: string, now: number): Bucket {
    if (this.#buckets.size >= this.#sweepAt) this.#sweep(now)
    const bucket = { tokens: this.#settings.burstEvents, at: now }
    this.#buckets.set(playerId, bucket)
    return bucket
  }

  /** A bucket that would be full by now says nothing that a new one does not. */
  #sweep(now: number): void {
    const { eventsPerSecond, burstEvents } = this.#settings
    const refillMs = (burstEvents / eventsPerSecond) * 1000
    for (const [playerId, { at }] of this.#buckets) {
      if (now - at >= refillMs) this.#buckets.delete(playerId)
    }
    this.#sweepAt = Math.max(sweepFrom, this.#buckets.size * 2)
  }
}
