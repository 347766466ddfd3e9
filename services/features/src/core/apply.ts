// How does one event change one player?
import type { PlayerActivity } from '@churnstream/schemas'
import { hashEventId } from './event-id.ts'
import {
  dayOf,
  lateDays,
  openTile,
  real,
  recentIds,
  tileReal,
  tileRealAt,
  tileWhole,
  tileWholeAt,
  whole,
  type Block,
} from './block.ts'
import type { Players } from './players.ts'

export type Applied = 'applied' | 'duplicate' | 'too-late'

const hundredths = (amount: number | null): number => Math.round((amount ?? 0) * 100)
const thousandths = (odds: number | null): number => Math.round((odds ?? 0) * 1000)

/**
 * Folds one event into its player's block, by event time. Everything but the losing streak is a
 * sum, minimum or maximum, so late events end in the same state as punctual ones. The streak
 * counts settlements that come in order; one that is older than the newest changes nothing.
 */
export function apply(
  players: Players,
  block: Block,
  event: PlayerActivity,
  offset: number,
): Applied {
  const { reals, realAt, wholes, wholeAt } = block
  const at = event.occurredAt
  const day = dayOf(at)
  const lastSeenAt = reals[realAt + real.lastSeenAt] as number
  if (!Number.isNaN(lastSeenAt) && day < dayOf(lastSeenAt) - lateDays) return 'too-late'
  if (!remember(block, hashEventId(event.eventId))) return 'duplicate'

  reals[realAt + real.appliedOffset] = offset
  earliest(block, real.firstSeenAt, at)
  latest(block, real.lastSeenAt, at)
  // The newest market wins: a player who moves is scored where they are.
  if (!(at < lastSeenAt)) wholes[wholeAt + whole.market] = players.code(event.market)
  if (event.acquisitionSource !== null) {
    wholes[wholeAt + whole.acquisitionSource] = players.code(event.acquisitionSource)
  }

  const tile = openTile(block, day)
  const w = tileWholeAt(block, tile)
  const r = tileRealAt(block, tile)
  switch (event.kind) {
    case 'bet_placed': {
      add(wholes, w + tileWhole.bets, 1)
      if (event.inPlay === true) add(wholes, w + tileWhole.inPlayBets, 1)
      add(reals, r + tileReal.stake, hundredths(event.stake))
      add(reals, r + tileReal.odds, thousandths(event.odds))
      if (earliest(block, real.firstBetAt, at) && event.product !== null) {
        wholes[wholeAt + whole.firstProduct] = players.code(event.product)
      }
      if (latest(block, real.lastBetAt, at)) wholes[wholeAt + whole.silenceStep] = 0
      break
    }
    case 'bet_settled': {
      add(wholes, w + tileWhole.settled, 1)
      add(reals, r + tileReal.payout, hundredths(event.payout))
      if (latest(block, real.lastSettledAt, at)) {
        const streak = wholes[wholeAt + whole.losingStreak] as number
        wholes[wholeAt + whole.losingStreak] = event.payout === 0 ? streak + 1 : 0
      }
      break
    }
    case 'deposit':
      add(wholes, w + tileWhole.deposits, 1)
      add(reals, r + tileReal.depositAmount, hundredths(event.amount))
      latest(block, real.lastDepositAt, at)
      break
    case 'withdrawal':
      add(wholes, w + tileWhole.withdrawals, 1)
      add(reals, r + tileReal.withdrawalAmount, hundredths(event.amount))
      break
    case 'session_start':
      add(wholes, w + tileWhole.sessions, 1)
      latest(block, real.lastSessionAt, at)
      break
  }
  return 'applied'
}

/** Notes an id in the ring of the newest ids; false when it stands there already. */
function remember({ reals, realAt, wholes, wholeAt }: Block, id: number): boolean {
  const ids = realAt + real.ids
  const count = wholes[wholeAt + whole.idCount] as number
  for (let i = 0; i < count; i++) if (reals[ids + i] === id) return false
  const next = wholes[wholeAt + whole.idNext] as number
  reals[ids + next] = id
  wholes[wholeAt + whole.idNext] = (next + 1) % recentIds
  if (count < recentIds) wholes[wholeAt + whole.idCount] = count + 1
  return true
}

function earliest({ reals, realAt }: Block, index: number, at: number): boolean {
  const known = reals[realAt + index] as number
  if (known <= at) return false
  reals[realAt + index] = at
  return true
}

function latest({ reals, realAt }: Block, index: number, at: number): boolean {
  const known = reals[realAt + index] as number
  if (known > at) return false
  reals[realAt + index] = at
  return true
}

function add(array: Float64Array | Int32Array, index: number, amount: number): void {
  array[index] = (array[index] as number) + amount
}
