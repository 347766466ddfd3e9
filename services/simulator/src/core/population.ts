// In which order do the events of all players reach us?
import type { PlayerActivity } from '@churnstream/schemas'
import { Heap } from './heap.ts'
import { Life } from './life.ts'
import { Plants, type Plant } from './plants.ts'
import { hourMs, type World } from './player.ts'

export interface Simulation {
  /** Same seed, same players: their ids, lives and event ids follow from it and startAt. */
  readonly seed: number
  readonly players: number
  readonly startAt: number
  /** The stream ends here; what would be delivered later is left out. */
  readonly endAt: number
  /** Sign-ups are spread evenly over this many days after startAt; 60 unless told. */
  readonly signUpDays?: number
  /** Event time between two clock steps; an hour unless told. */
  readonly clockEveryMs?: number
  /** Whether the time of the year matters; it does unless told. */
  readonly hasSeasons?: boolean
  /** Changes of the world; none unless told. */
  readonly plants?: readonly Plant[]
}

export type Step = EventStep | ClockStep
export interface EventStep {
  readonly deliverAt: number
  readonly event: PlayerActivity
}
/** Event time has reached clockAt. */
export interface ClockStep {
  readonly deliverAt: number
  readonly clockAt: number
}

/**
 * Every event and clock step, by time of delivery. Memory holds one small object per player and the
 * events of the days that are under way, never the stream.
 */
export function* simulate(simulation: Simulation): Generator<Step, void, undefined> {
  const world = worldOf(simulation)
  const { players, endAt, clockEveryMs = hourMs } = simulation
  if (!(clockEveryMs > 0)) throw new RangeError(`clockEveryMs must be positive: ${clockEveryMs}`)
  const lives = new Heap<Life>()
  for (let index = 0; index < players; index++) {
    const life = new Life(world, index)
    lives.push(life.nextAt, life)
  }
  const events = new Heap<PlayerActivity>()
  const emit = (deliverAt: number, event: PlayerActivity) => events.push(deliverAt, event)

  let clockAt = (Math.floor(simulation.startAt / clockEveryMs) + 1) * clockEveryMs
  for (;;) {
    // A life that may still deliver before the earliest known event is lived first.
    while (lives.nextAt <= events.nextAt && lives.nextAt < endAt) {
      const life = lives.pop() as Life
      life.advance(emit)
      if (life.nextAt < endAt) lives.push(life.nextAt, life)
    }
    const deliverAt = Math.min(events.nextAt, endAt)
    for (; clockAt < deliverAt; clockAt += clockEveryMs) yield { deliverAt: clockAt, clockAt }
    if (deliverAt >= endAt) return
    yield { deliverAt, event: events.pop() as PlayerActivity }
  }
}

export function worldOf({
  seed,
  startAt,
  signUpDays = 60,
  hasSeasons = true,
  plants,
}: Omit<Simulation, 'players' | 'endAt'>) {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be an integer: ${seed}`)
  if (!(signUpDays > 0)) throw new RangeError(`signUpDays must be positive: ${signUpDays}`)
  return { seed, startAt, signUpDays, hasSeasons, plants: new Plants(plants) } satisfies World
}
