// What does a player do, day by day, from sign-up to the last bet?
import type { PlayerActivity } from '@churnstream/schemas'
import { deliveryOf } from './delivery.ts'
import { plantSettings, type Plants } from './plants.ts'
import {
  createPlayer,
  dayMs,
  localTimeOfDay,
  minuteMs,
  hourMs,
  products,
  type Player,
  type Product,
  type World,
} from './player.ts'
import { createRandom, type Random } from './random.ts'
import { localDayOf, seasonFactor } from './season.ts'

export type Emit = (deliverAt: number, event: PlayerActivity) => void

/** Chosen so that the figures of --describe stand where the public studies put them. */
const process = {
  neverBets: 0.05,
  /** A new player plays more often, and leaves more easily: both wear off with tenure. */
  noveltyBoost: 1.2,
  noveltyDays: 6,
  earlyHazard: 4.5,
  earlyDays: 7,
  settlingHazard: 0.7,
  settlingDays: 40,
  /** Of those who leave, this share fades out over some weeks; the others are simply gone. */
  fadeShare: 0.4,
  /** Activity on a break, against usual: a break must look like leaving, or churn is no riddle. */
  breakFactor: 0.04,
  visitRate: 0.035,
  visitRateAfterDropout: 0.012,
  /** A player is forgotten so long after dropping out: no visit comes any more. */
  visitDaysAfterDropout: 90,
}

const winBigOver = 8

/**
 * One player's events in the order of their days. Everything follows from the world and the index,
 * so a life is the same whoever else plays and whenever it is looked at.
 */
export class Life {
  readonly player: Player
  /** No event that is still to come is delivered, or occurred, before this instant. */
  nextAt: number
  /** The instant after which this player never bets again; null while they still may. */
  droppedOutAt: number | null = null

  readonly #random: Random
  readonly #hasSeasons: boolean
  readonly #plants: Plants
  /** Chance of what plants change, so that the rest is drawn as without them. */
  readonly #planted: Random
  readonly #signUpDay: number
  #day: number
  #next: 'signup' | 'bets' | 'visit' = 'signup'
  #events = 0
  #balance = 0
  #losingStreak = 0
  #bigWinDay = -Infinity
  #breakUntilDay = -Infinity
  #fadeUntilDay: number | null = null
  /** Looks like having left until this day. */
  #awayUntilDay = -Infinity
  #emit: Emit = () => {}

  constructor(world: World, index: number) {
    const { player, random } = createPlayer(world, index)
    this.player = player
    this.#random = random
    this.#hasSeasons = world.hasSeasons
    this.#plants = world.plants
    this.#planted = createRandom(world.seed, 'plants', index)
    this.nextAt = player.signedUpAt
    this.#day = localDayOf(player.signedUpAt, player.utcOffsetMs)
    this.#signUpDay = this.#day
  }

  /** Lives through the day that begins at nextAt, and finds the next day on which a thing happens. */
  advance(emit: Emit): void {
    this.#emit = emit
    const dayAt = this.#day * dayMs - this.player.utcOffsetMs
    if (this.#next === 'signup') this.#signUp(dayAt)
    else if (this.#next === 'bets') this.#bets(dayAt, this.#timeOfDay(dayAt))
    else this.#visit(this.#timeOfDay(dayAt))
    this.#findNext()
  }

  #findNext(): void {
    const random = this.#random
    for (;;) {
      this.#day++
      const dayAt = this.#day * dayMs - this.player.utcOffsetMs
      this.nextAt = dayAt
      if (this.#fadeUntilDay !== null && this.#day >= this.#fadeUntilDay) {
        this.droppedOutAt ??= dayAt
      }
      if (this.droppedOutAt !== null) {
        if (dayAt - this.droppedOutAt > process.visitDaysAfterDropout * dayMs) {
          this.nextAt = Infinity
          return
        }
        if (!random.chance(process.visitRateAfterDropout)) continue
        this.#next = 'visit'
        return
      }
      if (this.#day < this.#awayUntilDay) {
        if (!random.chance(process.visitRateAfterDropout)) continue
        this.#next = 'visit'
        return
      }
      if (this.#day === this.#awayUntilDay || random.chance(1 - Math.exp(-this.#intensity()))) {
        this.#next = 'bets'
        return
      }
      if (random.chance(process.visitRate)) {
        this.#next = 'visit'
        return
      }
    }
  }

  /** Expected active days on this day. Breaks make the gaps overdispersed: two to four weeks off. */
  #intensity(): number {
    const { player } = this
    const random = this.#random
    if (this.#day >= this.#breakUntilDay && random.chance(player.breakRate)) {
      this.#breakUntilDay = this.#day + Math.round(random.logNormal(player.breakDays, 0.5))
      const dayAt = this.#day * dayMs - player.utcOffsetMs
      const isGone =
        this.#plants.holds('concept-drift', dayAt) &&
        this.#planted.chance(plantSettings.goneShareOfBreaks)
      if (isGone) this.droppedOutAt = dayAt
    }
    if (this.droppedOutAt !== null) return 0
    const tenure = this.#day - this.#signUpDay
    return (
      player.activeRate *
      seasonFactor(player.product, player.region, this.#day, this.#hasSeasons) *
      (1 + process.noveltyBoost * Math.exp(-tenure / process.noveltyDays)) *
      (this.#day < this.#breakUntilDay ? process.breakFactor : 1) *
      (this.#fadeUntilDay === null ? 1 : 0.45)
    )
  }

  /** Whether the leagues of this player pause. */
  #isOffSeason(at: number): boolean {
    const { product } = this.player
    return (product === 'sport' || product === 'multi') && this.#plants.holds('season-end', at)
  }

  #timeOfDay(dayAt: number): number {
    return Math.round(dayAt + localTimeOfDay(this.#random, this.player.product))
  }

  #signUp(dayAt: number): void {
    const { signedUpAt, source } = this.player
    this.#send('signup', signedUpAt, { acquisitionSource: source })
    const random = this.#random
    if (random.chance(process.neverBets)) {
      this.droppedOutAt = signedUpAt
      this.#visit(signedUpAt + 1000)
    } else if (random.chance(0.85)) {
      this.#deposit(signedUpAt + Math.round(random.between(1, 4) * minuteMs))
      this.#bets(dayAt, signedUpAt + 5 * minuteMs)
    } else {
      this.#visit(signedUpAt + 1000)
    }
  }

  #visit(at: number): void {
    this.#send('session_start', at, {})
  }

  #bets(dayAt: number, startAt: number): void {
    const random = this.#random
    const { player } = this
    const fading = this.#fadeUntilDay !== null
    const season = this.#isOffSeason(startAt) ? plantSettings.seasonEndBets : 1
    const mean = (player.betsPerActiveDay - 1) * (fading ? 0.7 : 1) * season
    const bets = Math.min(500, 1 + random.negativeBinomial(mean, 1.1))
    const endAt = dayAt + dayMs - minuteMs
    // Bets of a long day are placed faster, so that the day ends before the next one begins.
    const gapMs = Math.min(5 * minuteMs, (endAt - startAt) / (2 * bets))
    let at = startAt
    let won = 0
    for (let i = 0; i < bets; i++) {
      if (i === 0) this.#visit(at)
      else if (random.chance(0.12)) {
        at = Math.min(endAt, at + Math.round(random.exponential(40 * minuteMs)))
        this.#visit(at)
      }
      at = Math.min(endAt, at + 1 + Math.round(random.exponential(gapMs)))
      won += this.#bet(at)
    }
    // Winnings can be played from the next active day on: most bets settle after the session.
    this.#balance += won
    if (this.#balance > 6 * player.depositSize && random.chance(0.35)) {
      this.#withdraw(Math.min(endAt, at + Math.round(random.exponential(90 * minuteMs))), 0.7)
    }
    this.#mayLeave(at)
  }

  /** Places one bet and settles it; returns the payout. */
  #bet(at: number): number {
    const random = this.#random
    const { player } = this
    const product = random.chance(0.8) ? player.product : random.pick(products[player.region])
    const live = this.#isOffSeason(at) ? plantSettings.seasonEndInPlay : 1
    const inPlay = product === 'sport' && random.chance(player.inPlayShare * live)
    const odds = oddsOf(product, random)
    const inflation = this.#plants.holds('stake-inflation', at) ? plantSettings.stakeFactor : 1
    const stake = Math.max(0.1, toCents(inflation * random.logNormal(player.stakeMedian, 1)))
    if (this.#balance < stake) this.#deposit(at - 1, stake)
    this.#balance -= stake
    this.#send('bet_placed', at, { product, stake, odds, inPlay })

    const wins = random.chance((1 - player.margin) / odds)
    const payout = wins ? toCents(stake * odds) : 0
    const settledAt = at + settlementDelay(product, inPlay, random)
    this.#send('bet_settled', settledAt, { product, stake, payout })
    this.#losingStreak = wins ? 0 : this.#losingStreak + 1
    if (payout > winBigOver * player.stakeMedian * 2) this.#bigWinDay = this.#day
    return payout
  }

  #deposit(at: number, atLeast = 0): void {
    const { depositSize } = this.player
    const amount = depositSize * Math.max(1, Math.ceil(atLeast / depositSize))
    this.#balance += amount
    this.#send('deposit', at, { amount })
  }

  #withdraw(at: number, share: number): void {
    const amount = toCents(this.#balance * share)
    if (amount <= 0) return
    this.#balance -= amount
    this.#send('withdrawal', at, { amount })
  }

  /** After an active day: does the player leave? Losing pushes, a recent big win holds. */
  #mayLeave(lastBetAt: number): void {
    if (this.#fadeUntilDay !== null) return
    const random = this.#random
    const tenure = this.#day - this.#signUpDay
    const hazard =
      (this.player.hazard + 0.011) *
      (0.45 +
        process.settlingHazard * Math.exp(-tenure / process.settlingDays) +
        process.earlyHazard * Math.exp(-tenure / process.earlyDays)) *
      (1 + 0.15 * Math.min(12, Math.max(0, this.#losingStreak - 4))) *
      (this.#day - this.#bigWinDay < 7 ? 0.5 : 1)
    if (!random.chance(Math.min(0.9, hazard))) return
    if (this.#plants.holds('concept-drift', lastBetAt)) {
      const [least, most] = plantSettings.backAfterDays
      this.#awayUntilDay = this.#day + Math.round(this.#planted.between(least, most))
      return
    }
    if (random.chance(process.fadeShare)) {
      this.#fadeUntilDay = this.#day + 4 + Math.round(random.exponential(12))
      return
    }
    this.droppedOutAt = lastBetAt
    if (this.#balance > 5 && random.chance(0.25)) {
      this.#withdraw(lastBetAt + Math.round(random.between(0.1, 20) * hourMs), 1)
    }
  }

  #isLeaked(at: number): boolean {
    const share = Math.min(
      plantSettings.leakMost,
      plantSettings.leakPerDay * this.#plants.age('slow-leak', at),
    )
    return share > 0 && this.#planted.chance(share)
  }

  #send(kind: string, occurredAt: number, facts: Partial<PlayerActivity>): void {
    const { playerId, market } = this.player
    const deliverAt = deliveryOf(occurredAt, this.#random)
    if (kind === 'session_start' && this.#isLeaked(occurredAt)) return
    if (this.#plants.holds('broken-feed', occurredAt)) {
      facts = { ...facts, acquisitionSource: null, product: null, inPlay: null }
    }
    this.#emit(deliverAt, {
      eventId: `${playerId}-${this.#events++}`,
      kind,
      playerId,
      occurredAt,
      market,
      acquisitionSource: facts.acquisitionSource ?? null,
      product: facts.product ?? null,
      stake: facts.stake ?? null,
      payout: facts.payout ?? null,
      odds: facts.odds ?? null,
      inPlay: facts.inPlay ?? null,
      amount: facts.amount ?? null,
    })
  }
}

function oddsOf(product: Product, random: Random): number {
  const odds =
    product === 'casino'
      ? random.logNormal(2, 0.3)
      : product === 'sport'
        ? random.logNormal(2.1, 0.45)
        : product === 'racing'
          ? random.logNormal(4.2, 0.6)
          : random.logNormal(6, 0.6)
  return Math.round(100 * Math.min(15, Math.max(1.5, odds))) / 100
}

function settlementDelay(product: Product, inPlay: boolean, random: Random): number {
  const minutes =
    product === 'casino'
      ? random.between(1, 3)
      : product === 'racing'
        ? random.between(3, 45)
        : product === 'multi'
          ? random.between(180, 2160)
          : inPlay
            ? random.between(3, 75)
            : random.between(95, 480)
  return Math.round(minutes * minuteMs)
}

function toCents(amount: number): number {
  return Math.round(100 * amount) / 100
}
