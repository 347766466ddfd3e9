// When does an event reach us, given when it occurred?
import { dayMs, hourMs, minuteMs } from './player.ts'
import type { Random } from './random.ts'

export const lateShare = 0.05
/** An event that takes longer is late; the others take seconds. */
export const lateAfterMs = minuteMs
export const latestMs = 3 * dayMs

export function deliveryOf(occurredAt: number, random: Random): number {
  if (!random.chance(lateShare)) {
    return occurredAt + Math.min(20_000, Math.round(random.exponential(1500)))
  }
  const delay = random.chance(0.08)
    ? random.between(12 * hourMs, latestMs)
    : Math.min(12 * hourMs, lateAfterMs + random.logNormal(25 * minuteMs, 1.2))
  return occurredAt + Math.ceil(delay)
}
