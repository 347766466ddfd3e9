// Who is a player, before anything happened to them?
import { plantSettings, type Plants } from './plants.ts'
import { createRandom, type Random } from './random.ts'

export const dayMs = 24 * 60 * 60 * 1000
export const hourMs = 60 * 60 * 1000
export const minuteMs = 60 * 1000

export type Market = 'us-nj' | 'us-pa' | 'us-ny' | 'au-nsw' | 'au-vic' | 'gb'
export type Region = 'us' | 'au' | 'gb'
export type Source = 'affiliate' | 'paid' | 'organic' | 'referral'
export type Product = 'sport' | 'racing' | 'multi' | 'casino'

/** What the lives of a population depend on. How many players there are is not part of it. */
export interface World {
  readonly seed: number
  readonly startAt: number
  /** Sign-ups are spread evenly over this many days after startAt. */
  readonly signUpDays: number
  /** Whether the time of the year matters; the day of the week always does. */
  readonly hasSeasons: boolean
  /** Changes of the world, if any. */
  readonly plants: Plants
}

export interface Player {
  readonly playerId: string
  readonly market: Market
  readonly region: Region
  readonly source: Source | typeof plantSettings.newChannel
  readonly product: Product
  readonly signedUpAt: number
  /** Local time less UTC; standard time all year. */
  readonly utcOffsetMs: number
  /** Mean active days per day, when neither new nor on a break. */
  readonly activeRate: number
  /** Breaks begun per day, and the usual length of one. */
  readonly breakRate: number
  readonly breakDays: number
  /** Dropout probability per active day of a settled player, before luck. */
  readonly hazard: number
  readonly betsPerActiveDay: number
  readonly stakeMedian: number
  readonly margin: number
  readonly inPlayShare: number
  readonly depositSize: number
}

const markets: Record<Market, number> = {
  'us-nj': 22,
  'us-pa': 20,
  'us-ny': 24,
  'au-nsw': 12,
  'au-vic': 10,
  gb: 12,
}
const utcOffsetHours: Record<Market, number> = {
  'us-nj': -5,
  'us-pa': -5,
  'us-ny': -5,
  'au-nsw': 10,
  'au-vic': 10,
  gb: 0,
}
const regions: Record<Market, Region> = {
  'us-nj': 'us',
  'us-pa': 'us',
  'us-ny': 'us',
  'au-nsw': 'au',
  'au-vic': 'au',
  gb: 'gb',
}
const sources: Record<Source, number> = { affiliate: 28, paid: 28, organic: 32, referral: 12 }
const sourceHazard: Record<Source, number> = {
  affiliate: 1.45,
  paid: 1.15,
  organic: 0.8,
  referral: 0.55,
}
export const products: Record<Region, Record<Product, number>> = {
  us: { sport: 58, racing: 5, multi: 17, casino: 20 },
  au: { sport: 30, racing: 44, multi: 22, casino: 4 },
  gb: { sport: 45, racing: 25, multi: 12, casino: 18 },
}
const productMargin: Record<Product, number> = {
  sport: 0.06,
  racing: 0.085,
  multi: 0.095,
  casino: 0.055,
}

export function createPlayer(world: World, index: number): { player: Player; random: Random } {
  const random = createRandom(world.seed, 'player', index)
  const market = random.pick(markets)
  const region = regions[market]
  const source = random.pick(sources)
  const product = random.pick(products[region])
  const utcOffsetMs = utcOffsetHours[market] * hourMs
  const heavy = random.chance(0.05)
  const signUpDay = Math.floor(random.uniform() * world.signUpDays)
  const timeOfDay = mod(Math.round(localTimeOfDay(random, product) - utcOffsetMs), dayMs)
  const signedUpAt = Math.floor(world.startAt) + signUpDay * dayMs + timeOfDay
  const player: Player = {
    playerId: `p${world.seed}-${String(index).padStart(6, '0')}`,
    market,
    region,
    source: isOfNewChannel(world, index, signedUpAt) ? plantSettings.newChannel : source,
    product,
    signedUpAt,
    utcOffsetMs,
    activeRate: 0.035 + random.gamma(0.85, 0.36) * (heavy ? 1.6 : 1),
    breakRate: random.gamma(1.5, 0.015),
    breakDays: random.logNormal(11, 0.4),
    hazard: random.beta(1.1, 24) * sourceHazard[source],
    betsPerActiveDay: (1 + random.gamma(1.4, 1.7)) * (heavy ? 4 : 1),
    stakeMedian: random.logNormal(heavy ? 14 : 3.2, 0.85),
    margin: Math.min(0.1, Math.max(0.05, random.normal(productMargin[product], 0.01))),
    inPlayShare: random.beta(1.5, 3),
    depositSize: 5 * Math.max(2, Math.round(random.logNormal(heavy ? 20 : 5, 0.5))),
  }
  return { player, random }
}

/** Drawn apart, so that a player is otherwise the same as without the plant. */
function isOfNewChannel({ plants, seed }: World, index: number, signedUpAt: number): boolean {
  if (!plants.holds('new-channel', signedUpAt)) return false
  return createRandom(seed, 'channel', index).chance(plantSettings.newChannelShare)
}

/** Milliseconds after local midnight at which a visit begins; early enough to end the same day. */
export function localTimeOfDay(random: Random, product: Product): number {
  const hour = product === 'racing' ? random.normal(14.5, 2.5) : random.normal(18.5, 3.2)
  return Math.min(22, Math.max(0.1, hour)) * hourMs
}

function mod(value: number, base: number): number {
  return ((value % base) + base) % base
}
