// Does the simulated world look like the real one? The figures that can be held against the studies.
import { lateAfterMs } from './delivery.ts'
import { dayMs } from './player.ts'
import { simulate, type Simulation } from './population.ts'

/** One figure beside its anchor: what public studies or vendors report, or what we aim at. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: 'share' | 'count' | 'days' | 'currency'
  readonly anchor: string
  /** Inside this range the figure is called realistic; absent where nothing is known. */
  readonly range?: readonly [number, number]
}

const horizonDays = 28

interface Seen {
  readonly signedUpAt: number
  /** UTC days since the epoch with a bet, ascending. */
  readonly betDays: number[]
}

/** Simulates, and sums up what the stream holds; the truth is not looked at. */
export function describe(simulation: Simulation): Figure[] {
  const players = new Map<string, Seen>()
  const stakes: number[] = []
  let events = 0
  let late = 0
  let bets = 0
  let inPlay = 0
  let staked = 0
  let settledStake = 0
  let payout = 0
  for (const step of simulate(simulation)) {
    if (!('event' in step)) continue
    const { event, deliverAt } = step
    events++
    if (deliverAt - event.occurredAt > lateAfterMs) late++
    let seen = players.get(event.playerId)
    if (!seen) players.set(event.playerId, (seen = { signedUpAt: event.occurredAt, betDays: [] }))
    if (event.kind === 'bet_placed') {
      bets++
      if (event.inPlay) inPlay++
      staked += event.stake ?? 0
      stakes.push(event.stake ?? 0)
      seen.betDays.push(Math.floor(event.occurredAt / dayMs))
    } else if (event.kind === 'bet_settled') {
      settledStake += event.stake ?? 0
      payout += event.payout ?? 0
    }
  }
  for (const seen of players.values()) sortUnique(seen.betDays)

  const all = [...players.values()]
  const days = (simulation.endAt - simulation.startAt) / dayMs
  const activeDays = sum(all.map((seen) => seen.betDays.length))
  const gaps = all.flatMap(({ betDays }) =>
    betDays.slice(1).map((day, i) => day - (betDays[i] ?? day)),
  )
  const [gap50, gap75, gap90, gap99] = quantiles(gaps, [0.5, 0.75, 0.9, 0.99])
  const [stake10, stake50, stake90, stake99] = quantiles(stakes, [0.1, 0.5, 0.9, 0.99])
  const left = (within: number) => leftWithin(all, within, simulation.endAt)
  const churn = (from: number, to: number) => churnRate(all, from, to, simulation)
  const count = (name: string, value: number, anchor = '-', range?: [number, number]): Figure => ({
    name,
    value,
    unit: 'count',
    anchor,
    ...(range && { range }),
  })
  return [
    count('events per day', events / days),
    count('events per player per day', events / days / all.length),
    count('events per active player-day', events / activeDays),
    count(
      'bets per active player-day',
      bets / activeDays,
      'sports median 2.5, mean above',
      [2.5, 8],
    ),
    { ...gapFigure('gap between bet days, median', gap50, 'every 4th day (mean)'), range: [1, 4] },
    { ...gapFigure('gap between bet days, mean', sum(gaps) / gaps.length, '4'), range: [3, 6] },
    gapFigure('gap between bet days, 75 %', gap75),
    gapFigure('gap between bet days, 90 %', gap90),
    { ...gapFigure('gap between bet days, 99 %', gap99, 'weeks off happen'), range: [21, 60] },
    share('gaps of 14 days or more', share14(gaps), 'some come back', [0.02, 0.1]),
    money('stake, 10 %', stake10),
    { ...money('stake, median', stake50, '4'), range: [2.5, 6] },
    money('stake, 90 %', stake90),
    { ...money('stake, 99 %', stake99, 'heavy top 5 % (25)'), range: [40, 400] },
    share('hold of settled stakes', 1 - payout / settledStake, '5-29 %', [0.03, 0.12]),
    share('bets in play', inPlay / bets, '-'),
    money('stake per bet, mean', staked / bets),
    share('left within 7 days of sign-up', left(7), 'about 40 %', [0.33, 0.47]),
    share('left within 30 days of sign-up', left(30), 'above 40 %', [0.45, 0.7]),
    share('churn at 28 days, tenure < 7', churn(0, 7), 'about 40 % early', [0.33, 0.52]),
    share('churn at 28 days, tenure 7-27', churn(7, 28), 'falls with tenure', [0.15, 0.35]),
    share('churn at 28 days, tenure 28-55', churn(28, 56), 'falls with tenure', [0.1, 0.3]),
    share('churn at 28 days, tenure 56 on', churn(56, Infinity), 'falls with tenure', [0.08, 0.25]),
    share('events delivered late', late / events, '5 %', [0.045, 0.055]),
  ]
}

/** Of the players seen long enough, those whose last bet came within so many days of sign-up. */
function leftWithin(all: readonly Seen[], days: number, endAt: number): number {
  const known = all.filter((seen) => endAt - seen.signedUpAt >= (days + horizonDays) * dayMs)
  const gone = known.filter(({ signedUpAt, betDays }) => {
    const last = betDays.at(-1)
    return last === undefined || last * dayMs <= signedUpAt + days * dayMs
  })
  return gone.length / known.length
}

/** On every seventh day, of the players with a bet in that week: who does not bet in 28 days? */
function churnRate(all: readonly Seen[], from: number, to: number, simulation: Simulation): number {
  const lastDay = Math.floor(simulation.endAt / dayMs) - horizonDays - 1
  let asked = 0
  let churned = 0
  for (let day = Math.ceil(simulation.startAt / dayMs); day <= lastDay; day += 7) {
    for (const { signedUpAt, betDays } of all) {
      const tenure = day - signedUpAt / dayMs
      if (tenure < from || tenure >= to) continue
      if (!betDays.some((bet) => bet <= day && bet > day - 7)) continue
      asked++
      if (!betDays.some((bet) => bet > day && bet <= day + horizonDays)) churned++
    }
  }
  return churned / asked
}

function sortUnique(days: number[]): void {
  days.sort((a, b) => a - b)
  let kept = 0
  for (const day of days) if (kept === 0 || days[kept - 1] !== day) days[kept++] = day
  days.length = kept
}

function share14(gaps: readonly number[]): number {
  return gaps.filter((gap) => gap >= 14).length / gaps.length
}

function gapFigure(name: string, value = NaN, anchor = '-'): Figure {
  return { name, value, unit: 'days', anchor }
}

function money(name: string, value = NaN, anchor = '-'): Figure {
  return { name, value, unit: 'currency', anchor }
}

function share(name: string, value: number, anchor: string, range?: [number, number]): Figure {
  return { name, value, unit: 'share', anchor, ...(range && { range }) }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function quantiles(values: readonly number[], at: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort()
  return at.map((q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN)
}
