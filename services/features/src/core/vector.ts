// What are a player's features as of an instant?
import type { FeatureName } from '@churnstream/schemas'
import {
  dayMs,
  dayOf,
  firstTile,
  real,
  tileReal,
  tileRealAt,
  tileWhole,
  tileWholeAt,
  whole,
  type Block,
} from './block.ts'
import type { Players } from './players.ts'

export type Features = Record<Exclude<FeatureName, Categorical>, number | null> &
  Record<Categorical, string | null>
type Categorical = 'market' | 'acquisition_source' | 'first_product'

/** Sums over one window of days. */
interface Window {
  bets: number
  inPlayBets: number
  stake: number
  odds: number
  payout: number
  deposits: number
  depositAmount: number
  withdrawals: number
  withdrawalAmount: number
  sessions: number
  activeDays: number
}

const emptyWindow = (): Window => ({
  bets: 0,
  inPlayBets: 0,
  stake: 0,
  odds: 0,
  payout: 0,
  deposits: 0,
  depositAmount: 0,
  withdrawals: 0,
  withdrawalAmount: 0,
  sessions: 0,
  activeDays: 0,
})

/** The features of the catalogue, from state that already holds everything up to asOf. */
export function toFeatures(players: Players, block: Block, asOf: number): Features {
  const { reals, realAt, wholes, wholeAt } = block
  const today = dayOf(asOf)
  const one = emptyWindow()
  const seven = emptyWindow()
  const thirty = emptyWindow()
  let held = wholes[wholeAt + whole.tilesHeld] as number
  for (; held !== 0; held &= held - 1) {
    const tile = firstTile(held)
    const age = today - (wholes[tileWholeAt(block, tile) + tileWhole.day] as number)
    if (age < 0 || age >= 30) continue
    addTile(thirty, block, tile)
    if (age < 7) addTile(seven, block, tile)
    if (age === 0) addTile(one, block, tile)
  }
  const since = (index: number): number | null => {
    const at = reals[realAt + index] as number
    return Number.isNaN(at) ? null : Math.max(0, asOf - at) / dayMs
  }
  const tenureDays = since(real.firstSeenAt) as number
  // A player who is new has had fewer days in which to do things.
  const days7 = Math.min(7, Math.max(1, Math.ceil(tenureDays)))
  const days30 = Math.min(30, Math.max(1, Math.ceil(tenureDays)))
  const recency = since(real.lastBetAt)
  const text = (index: number) => players.text(wholes[wholeAt + index] as number)

  return {
    days_since_last_bet: recency,
    days_since_last_deposit: since(real.lastDepositAt),
    days_since_last_session: since(real.lastSessionAt),
    tenure_days: tenureDays,
    bets_1d: one.bets,
    bets_7d: seven.bets,
    bets_30d: thirty.bets,
    stake_1d: one.stake / 100,
    stake_7d: seven.stake / 100,
    stake_30d: thirty.stake / 100,
    payout_7d: seven.payout / 100,
    payout_30d: thirty.payout / 100,
    net_loss_7d: (seven.stake - seven.payout) / 100,
    net_loss_30d: (thirty.stake - thirty.payout) / 100,
    active_days_7d: seven.activeDays,
    active_days_30d: thirty.activeDays,
    sessions_7d: seven.sessions,
    sessions_30d: thirty.sessions,
    deposits_7d: seven.deposits,
    deposits_30d: thirty.deposits,
    deposit_amount_30d: thirty.depositAmount / 100,
    withdrawals_30d: thirty.withdrawals,
    withdrawal_amount_30d: thirty.withdrawalAmount / 100,
    bets_trend: ratio(seven.bets / days7, thirty.bets / days30),
    stake_trend: ratio(seven.stake / days7, thirty.stake / days30),
    active_days_trend: ratio(seven.activeDays / days7, thirty.activeDays / days30),
    average_stake_30d: ratio(thirty.stake / 100, thirty.bets),
    average_odds_30d: ratio(thirty.odds / 1000, thirty.bets),
    in_play_share_30d: ratio(thirty.inPlayBets, thirty.bets),
    silence_ratio: recency === null ? null : ratio(recency * thirty.activeDays, days30),
    losing_streak: wholes[wholeAt + whole.losingStreak] as number,
    market: text(whole.market),
    acquisition_source: text(whole.acquisitionSource),
    first_product: text(whole.firstProduct),
  }
}

function addTile(window: Window, block: Block, tile: number): void {
  const { reals, wholes } = block
  const w = tileWholeAt(block, tile)
  const r = tileRealAt(block, tile)
  const bets = wholes[w + tileWhole.bets] as number
  window.bets += bets
  if (bets > 0) window.activeDays++
  window.inPlayBets += wholes[w + tileWhole.inPlayBets] as number
  window.deposits += wholes[w + tileWhole.deposits] as number
  window.withdrawals += wholes[w + tileWhole.withdrawals] as number
  window.sessions += wholes[w + tileWhole.sessions] as number
  window.stake += reals[r + tileReal.stake] as number
  window.odds += reals[r + tileReal.odds] as number
  window.payout += reals[r + tileReal.payout] as number
  window.depositAmount += reals[r + tileReal.depositAmount] as number
  window.withdrawalAmount += reals[r + tileReal.withdrawalAmount] as number
}

const ratio = (part: number, of: number): number | null => (of === 0 ? null : part / of)
