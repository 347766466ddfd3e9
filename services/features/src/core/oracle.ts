// What would the obvious code make of the records? The oracle of the fast one, for tests.
import type { PlayerActivity } from '@churnstream/schemas'
import type { Label } from './labels.ts'
import type { Look, Outcome, Result } from './partition.ts'
import type { Features } from './vector.ts'

const dayMs = 86_400_000
const dayOf = (at: number): number => Math.floor(at / dayMs)
const silenceDays = [1, 3, 7, 14, 21, 28]

interface Player {
  readonly playerId: string
  /** Folded, in the order in which they came. */
  readonly events: PlayerActivity[]
  /** Days with a vector whose label is not known yet. */
  owed: number[]
  newestOwed: number
  /** How many of the silence days were scored since the newest bet. */
  silences: number
}

/** Keeps every event and looks at all of them each time. */
export class Oracle {
  readonly #players = new Map<string, Player>()
  readonly #playersPerClock: number

  constructor(playersPerClock = Infinity) {
    this.#playersPerClock = playersPerClock
  }

  onActivity(event: PlayerActivity): Result | 'duplicate' | 'too-late' {
    const { playerId, occurredAt } = event
    const player = this.#players.get(playerId) ?? {
      playerId,
      events: [],
      owed: [],
      newestOwed: -1,
      silences: 0,
    }
    this.#players.set(playerId, player)
    const { events } = player
    const isTooLate = events.length > 0 && dayOf(occurredAt) < dayOf(newest(events)) - 30
    if (isTooLate) return 'too-late'
    if (events.slice(-32).some(({ eventId }) => eventId === event.eventId)) return 'duplicate'

    const isBet = event.kind === 'bet_placed'
    if (isBet && occurredAt >= newest(of(events, 'bet_placed'))) player.silences = 0
    events.push(event)
    const day = dayOf(occurredAt)
    const labels = isBet
      ? settle(
          player,
          (owed) => owed < day,
          (owed) => day > owed + 28,
        )
      : []
    return {
      vectors: [vectorOf(player, newest(events), 'activity')],
      outcomes: labels.map((label) => outcomeOf(player, label, occurredAt)),
    }
  }

  onClock(clockAt: number): Result {
    const result: Result = { vectors: [], outcomes: [] }
    const byName = (a: Player, b: Player): number => (a.playerId < b.playerId ? -1 : 1)
    const due = [...this.#players.values()]
      .filter((player) => dueAt(player) <= clockAt)
      .sort((a, b) => dueAt(a) - dueAt(b) || byName(a, b))
    for (const player of due.slice(0, this.#playersPerClock).sort(byName)) {
      const labels = settle(
        player,
        (owed) => dayOf(clockAt) > owed + 30,
        () => true,
      )
      const since = silentSince(player)
      const silences = silenceDays.filter((days) => since + days * dayMs <= clockAt).length
      if (silences > player.silences) {
        player.silences = silences
        result.vectors.push(vectorOf(player, Math.max(clockAt, newest(player.events)), 'clock'))
      }
      result.outcomes.push(...labels.map((label) => outcomeOf(player, label, clockAt)))
    }
    return result
  }

  /** How many players a clock record at this time would concern if there were no limit. */
  dueBy(clockAt: number): number {
    return [...this.#players.values()].filter((player) => dueAt(player) <= clockAt).length
  }

  erase(playerId: string): void {
    this.#players.delete(playerId)
  }

  looksAt(asOf: number): Look[] {
    return [...this.#players.values()]
      .sort((a, b) => (a.playerId < b.playerId ? -1 : 1))
      .map(({ playerId, events }) => ({
        playerId,
        lastSeenAt: newest(events),
        features: featuresOf(events, asOf),
      }))
  }
}

const newest = (events: readonly PlayerActivity[]): number =>
  Math.max(...events.map(({ occurredAt }) => occurredAt))
const oldest = (events: readonly PlayerActivity[]): number =>
  Math.min(...events.map(({ occurredAt }) => occurredAt))
const of = (events: readonly PlayerActivity[], kind: string): PlayerActivity[] =>
  events.filter((event) => event.kind === kind)

function silentSince({ events }: Player): number {
  const bets = of(events, 'bet_placed')
  return bets.length > 0 ? newest(bets) : oldest(events)
}

/** When a clock record has something to say of the player: silence to score, or a label that is known. */
function dueAt(player: Player): number {
  const silence = silenceDays[player.silences]
  return Math.min(
    silence === undefined ? Infinity : silentSince(player) + silence * dayMs,
    ...player.owed.map((day) => (day + 31) * dayMs),
  )
}

function settle(
  player: Player,
  isKnown: (owed: number) => boolean,
  hasChurned: (owed: number) => boolean,
): Label[] {
  const known = player.owed.filter(isKnown)
  player.owed = player.owed.filter((day) => !isKnown(day))
  return known.map((asOfDay) => ({ asOfDay, churned: hasChurned(asOfDay) }))
}

const outcomeOf = (player: Player, label: Label, knownAt: number): Outcome => ({
  ...label,
  playerId: player.playerId,
  market: marketOf(player.events),
  knownAt,
})

function vectorOf(player: Player, asOf: number, trigger: 'activity' | 'clock') {
  const day = dayOf(asOf)
  if (day > player.newestOwed && player.owed.length < 32) {
    player.newestOwed = day
    player.owed.push(day)
  }
  return { playerId: player.playerId, asOf, trigger, features: featuresOf(player.events, asOf) }
}

/** That of the newest event; of several as new, of the one that came last. */
function marketOf(events: readonly PlayerActivity[]): string {
  return events.filter(({ occurredAt }) => occurredAt === newest(events)).at(-1)?.market ?? ''
}

function featuresOf(events: readonly PlayerActivity[], asOf: number): Features {
  const within = (kind: string, days: number): PlayerActivity[] =>
    of(events, kind).filter(({ occurredAt }) => dayOf(occurredAt) > dayOf(asOf) - days)
  const hundredths = (of: readonly PlayerActivity[], field: 'stake' | 'payout' | 'amount') =>
    of.reduce((sum, event) => sum + Math.round((event[field] ?? 0) * 100), 0)
  const activeDays = (days: number): number =>
    new Set(within('bet_placed', days).map(({ occurredAt }) => dayOf(occurredAt))).size
  const daysSince = (kind: string): number | null => {
    const own = of(events, kind)
    return own.length === 0 ? null : Math.max(0, asOf - newest(own)) / dayMs
  }
  const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
  const bets = (days: number): number => within('bet_placed', days).length
  const stakes = (days: number): number => hundredths(within('bet_placed', days), 'stake')
  const payouts = (days: number): number => hundredths(within('bet_settled', days), 'payout')
  const deposits = within('deposit', 30)
  const withdrawals = within('withdrawal', 30)
  const bets30 = within('bet_placed', 30)
  const odds = bets30.reduce((sum, bet) => sum + Math.round((bet.odds ?? 0) * 1000), 0)
  const tenure = (asOf - oldest(events)) / dayMs
  const days = (window: number): number => Math.min(window, Math.max(1, Math.ceil(tenure)))
  const recency = daysSince('bet_placed')
  return {
    days_since_last_bet: recency,
    days_since_last_deposit: daysSince('deposit'),
    days_since_last_session: daysSince('session_start'),
    tenure_days: tenure,
    bets_1d: bets(1),
    bets_7d: bets(7),
    bets_30d: bets(30),
    stake_1d: stakes(1) / 100,
    stake_7d: stakes(7) / 100,
    stake_30d: stakes(30) / 100,
    payout_7d: payouts(7) / 100,
    payout_30d: payouts(30) / 100,
    net_loss_7d: (stakes(7) - payouts(7)) / 100,
    net_loss_30d: (stakes(30) - payouts(30)) / 100,
    active_days_7d: activeDays(7),
    active_days_30d: activeDays(30),
    sessions_7d: within('session_start', 7).length,
    sessions_30d: within('session_start', 30).length,
    deposits_7d: within('deposit', 7).length,
    deposits_30d: deposits.length,
    deposit_amount_30d: hundredths(deposits, 'amount') / 100,
    withdrawals_30d: withdrawals.length,
    withdrawal_amount_30d: hundredths(withdrawals, 'amount') / 100,
    bets_trend: ratio(bets(7) / days(7), bets(30) / days(30)),
    stake_trend: ratio(stakes(7) / days(7), stakes(30) / days(30)),
    active_days_trend: ratio(activeDays(7) / days(7), activeDays(30) / days(30)),
    average_stake_30d: ratio(stakes(30) / 100, bets(30)),
    average_odds_30d: ratio(odds / 1000, bets(30)),
    in_play_share_30d: ratio(bets30.filter(({ inPlay }) => inPlay === true).length, bets(30)),
    silence_ratio: recency === null ? null : ratio(recency * activeDays(30), days(30)),
    losing_streak: losingStreak(of(events, 'bet_settled')),
    market: marketOf(events),
    acquisition_source:
      events.findLast(({ acquisitionSource }) => acquisitionSource !== null)?.acquisitionSource ??
      null,
    first_product: firstProduct(of(events, 'bet_placed')),
  }
}

/** Settlements that come behind a newer one change nothing. */
function losingStreak(settlements: readonly PlayerActivity[]): number {
  const inOrder = settlements.filter(
    ({ occurredAt }, index) => occurredAt >= newest(settlements.slice(0, index)),
  )
  const lastWin = inOrder.findLastIndex(({ payout }) => payout !== 0)
  return inOrder.length - 1 - lastWin
}

/** Of the earliest bets, as each came, the newest that names one. */
function firstProduct(bets: readonly PlayerActivity[]): string | null {
  const earlier = bets.filter(({ occurredAt }, index) => occurredAt < oldest(bets.slice(0, index)))
  return earlier.findLast(({ product }) => product !== null)?.product ?? null
}
