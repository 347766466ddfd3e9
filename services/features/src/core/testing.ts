// What do the tests of the core fold? Events with fixed times.
import type { PlayerActivity } from '@churnstream/schemas'
import { dayMs } from './block.ts'

/** Midnight UTC, 2026-01-01. */
export const day0 = Date.UTC(2026, 0, 1)
export const at = (days: number): number => Math.round(day0 + days * dayMs)

let nextId = 0

export function activity(
  kind: string,
  days: number,
  rest: Partial<PlayerActivity> = {},
): PlayerActivity {
  return {
    eventId: `event-${nextId++}`,
    kind,
    playerId: 'ada',
    occurredAt: at(days),
    market: 'us-nj',
    acquisitionSource: null,
    product: null,
    stake: null,
    payout: null,
    odds: null,
    inPlay: null,
    amount: null,
    ...rest,
  }
}

export const bet = (days: number, rest: Partial<PlayerActivity> = {}): PlayerActivity =>
  activity('bet_placed', days, { stake: 10, odds: 2, product: 'sport', inPlay: false, ...rest })

/** A small seeded generator of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
