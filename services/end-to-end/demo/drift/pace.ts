// How fast does event time go while somebody waits for something?
import { setTimeout as delay } from 'node:timers/promises'
import type { Players } from '../../pipeline/players.ts'
import type { Watch } from './watch.ts'
import { dayMs } from './world.ts'

const pollMs = 250
/**
 * Days written that the monitor has not judged: two are open until their late events are there. Of
 * history more: with few players a partition is silent for days.
 */
const daysAhead = { history: 30, live: 6 }
/** While a run of Dagster is open it speaks of an instant that must not lie weeks back. */
const slowDayMs = 15_000
/** A day takes seconds; nothing for so long, and something stands still. */
const standstillMs = 300_000

export interface Pace {
  /** Event time. */
  readonly now: number
  /** Plays history as fast as every service follows. */
  playHistory(until: number): Promise<void>
  /** Plays until the look finds something. @throws RangeError when the simulated days end before */
  playUntilFound<T>(look: Look<T>, speed: 'fast' | 'slow'): Promise<T>
}

type Look<T> = () => T | undefined | Promise<T | undefined>

/** @param check throws when waiting is of no use any more */
export function openPace(players: Players, watch: Watch, check: () => void): Pace {
  const firstDay = players.playedUntil / dayMs

  /** Together with the services, and not before the given time has passed. */
  async function playDay(
    most: number,
    leastMs: number,
    isFound: () => Promise<boolean>,
  ): Promise<void> {
    const beganAt = performance.now()
    await players.playUntil(players.playedUntil + dayMs)
    let judged = watch.judgedDay
    let movedAt = beganAt
    const isBehind = () => players.playedUntil / dayMs - Math.max(watch.judgedDay, firstDay) > most
    while (isBehind() || performance.now() - beganAt < leastMs) {
      check()
      if (await isFound()) return
      await delay(pollMs)
      if (watch.judgedDay > judged || !isBehind()) movedAt = performance.now()
      judged = watch.judgedDay
      if (performance.now() - movedAt > standstillMs) {
        throw new Error(`the monitor has judged nothing for ${standstillMs / 1000} s`)
      }
    }
    check()
  }

  return {
    get now() {
      return players.playedUntil
    },
    async playHistory(until) {
      while (players.playedUntil < until) {
        await playDay(daysAhead.history, 0, () => Promise.resolve(false))
      }
    },
    async playUntilFound(look, speed) {
      let found = await look()
      const isFound = async () => {
        found = await look()
        return found !== undefined
      }
      while (found === undefined) {
        await playDay(daysAhead.live, speed === 'slow' ? slowDayMs : 0, isFound)
        if (found === undefined) await isFound()
      }
      return found
    },
  }
}
