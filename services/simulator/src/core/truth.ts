// What will a player really do? The label that no stream can know yet.
import { Life } from './life.ts'
import { dayMs, type Player } from './player.ts'
import { worldOf, type Simulation } from './population.ts'

export interface Truth {
  readonly player: Player
  /** The player never bets after this instant; null when they still may at knownUntil. */
  readonly droppedOutAt: number | null
  /** When each bet was placed, oldest first. */
  readonly betAts: readonly number[]
  /** Bets are listed up to this instant. */
  readonly knownUntil: number
}

/** Lives through one player's life alone; it is the life that simulate tells of. */
export function truthOf(
  simulation: Omit<Simulation, 'players' | 'endAt'>,
  index: number,
  until: number,
): Truth {
  const life = new Life(worldOf(simulation), index)
  const betAts: number[] = []
  while (life.nextAt <= until) {
    life.advance((_, event) => {
      if (event.kind === 'bet_placed' && event.occurredAt <= until) betAts.push(event.occurredAt)
    })
  }
  const { player, droppedOutAt } = life
  return { player, droppedOutAt, betAts, knownUntil: until }
}

/** Does the player bet in (asOf, asOf + horizonDays]? False means churned. */
export function trueLabel(truth: Truth, asOf: number, horizonDays: number): boolean {
  const until = asOf + horizonDays * dayMs
  if (until > truth.knownUntil) {
    throw new RangeError(`the truth is known until ${truth.knownUntil}, asked for ${until}`)
  }
  const next = truth.betAts[firstAfter(truth.betAts, asOf)]
  return next !== undefined && next <= until
}

/** Index of the first instant after `at`, in an ascending list. */
function firstAfter(instants: readonly number[], at: number): number {
  let low = 0
  let high = instants.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((instants[middle] as number) <= at) low = middle + 1
    else high = middle
  }
  return low
}
