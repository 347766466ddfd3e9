// Which rate can be kept up for ever, and does memory grow at it?
import { median } from './peers/figures.ts'

/** A rate that was tried, and whether what waits did not grow. */
export interface Tried {
  readonly ratePerSecond: number
  readonly isKeptUp: boolean
}

/** Between a rate that is kept up and one that is not, closer than that. */
const closeEnough = 1.1

/** Doubles until a rate is too much, then halves the distance; undefined: it is known well enough. */
export function nextRate(tried: readonly Tried[], firstPerSecond: number): number | undefined {
  const kept = capacityOf(tried)
  const least = Math.min(
    ...tried.flatMap(({ ratePerSecond, isKeptUp }) => (isKeptUp ? [] : [ratePerSecond])),
  )
  if (tried.length === 0) return firstPerSecond
  if (least === Infinity) return 2 * kept
  // Less than the first rate may be all there is.
  if (kept === 0) return Math.round(least / 2)
  return least / kept > closeEnough ? Math.round((kept + least) / 2) : undefined
}

/** The highest rate below which every one was kept up; 0: none was. */
export function capacityOf(tried: readonly Tried[]): number {
  const sorted = tried.toSorted((a, b) => a.ratePerSecond - b.ratePerSecond)
  const failed = sorted.findIndex(({ isKeptUp }) => !isKeptUp)
  const below = failed === -1 ? sorted : sorted.slice(0, failed)
  return below.at(-1)?.ratePerSecond ?? 0
}

/** What waits in the end of a step is no more than so many seconds bring. */
const keptUpSeconds = 1

/** @param waiting events that are due and have no score, over the last part of a step */
export const isKeptUp = (waiting: readonly number[], ratePerSecond: number): boolean =>
  median(waiting) <= keptUpSeconds * ratePerSecond

export interface Trend {
  readonly mean: number
  readonly perHour: number
  /** Of perHour: twice its standard error. */
  readonly uncertainty: number
}

/** Fits a line. @param points seconds and values; three at least */
export function toTrend(points: readonly (readonly [seconds: number, value: number])[]): Trend {
  const count = points.length
  const meanOf = (index: 0 | 1): number =>
    points.reduce((sum, point) => sum + point[index], 0) / count
  const [meanSeconds, mean] = [meanOf(0), meanOf(1)]
  const spread = points.reduce((sum, [seconds]) => sum + (seconds - meanSeconds) ** 2, 0)
  const slope =
    points.reduce((sum, [seconds, value]) => sum + (seconds - meanSeconds) * (value - mean), 0) /
    spread
  const residual = points.reduce((sum, [seconds, value]) => {
    return sum + (value - mean - slope * (seconds - meanSeconds)) ** 2
  }, 0)
  const error = Math.sqrt(residual / (count - 2) / spread)
  return { mean, perHour: slope * 3600, uncertainty: 2 * error * 3600 }
}

/** Of what there is, in an hour: below it memory counts as flat. */
const flatShare = 0.1

export type Growth = 'flat' | 'grows' | 'not known'

/** Flat or growing only when the scatter cannot make it the other. */
export function growthOf({ mean, perHour, uncertainty }: Trend): Growth {
  const most = flatShare * mean
  if (perHour + uncertainty <= most) return 'flat'
  return perHour - uncertainty > most ? 'grows' : 'not known'
}
