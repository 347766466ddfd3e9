// May this caller send more events now?

export interface KeyRate {
  readonly eventsPerSecond: number
  /** At once. What a request holds beyond it is owed and waited for before the next one. */
  readonly burstEvents: number
}

interface Account {
  events: number
  at: number
}

/**
 * A token bucket for each key, which a request may overdraw: nobody knows how many events it holds
 * before it is read. Within any t seconds a key gets at most burstEvents + t * eventsPerSecond events
 * and the rest of one request through one of these.
 */
export class KeyRates {
  readonly #accounts = new Map<string, Account>()

  /** Milliseconds until a request may come; 0 when it may now. `now` never goes back. */
  wait(id: string, rate: KeyRate, now: number): number {
    const { events } = this.#refill(id, rate, now)
    return events > 0 ? 0 : Math.ceil(((1 - events) / rate.eventsPerSecond) * 1000)
  }

  charge(id: string, rate: KeyRate, count: number, now: number): void {
    this.#refill(id, rate, now).events -= count
  }

  #refill(id: string, { eventsPerSecond, burstEvents }: KeyRate, now: number): Account {
    const account = this.#accounts.get(id) ?? { events: burstEvents, at: now }
    this.#accounts.set(id, account)
    const refilled = account.events + ((now - account.at) / 1000) * eventsPerSecond
    account.events = Math.min(burstEvents, refilled)
    account.at = now
    return account
  }
}
