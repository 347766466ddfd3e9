// How much busier is a day, by week and by season?
import { dayMs, type Product, type Region } from './player.ts'

/** Sunday first: leagues play at the weekend, racing on Wednesday too. */
const week: Record<Product, readonly number[]> = {
  sport: [1.45, 0.95, 0.7, 0.75, 0.95, 0.9, 1.3],
  racing: [0.85, 0.65, 0.75, 1.25, 0.9, 1.05, 1.55],
  multi: [1.35, 0.75, 0.65, 0.75, 0.95, 1.15, 1.4],
  casino: [1.05, 0.95, 0.95, 0.95, 1, 1.05, 1.05],
}

interface Season {
  /** Day of the year. */
  readonly peak: number
  readonly swing: number
}
const flat: Season = { peak: 0, swing: 0 }
/** NFL and NBA overlap in November; AFL and NRL in winter; the spring carnival; Cheltenham. */
const seasons: Record<Region, Record<Product, Season>> = {
  us: {
    sport: { peak: 325, swing: 0.25 },
    racing: { peak: 130, swing: 0.15 },
    multi: { peak: 325, swing: 0.25 },
    casino: flat,
  },
  au: {
    sport: { peak: 200, swing: 0.25 },
    racing: { peak: 305, swing: 0.2 },
    multi: { peak: 200, swing: 0.25 },
    casino: flat,
  },
  gb: {
    sport: { peak: 10, swing: 0.2 },
    racing: { peak: 80, swing: 0.15 },
    multi: { peak: 10, swing: 0.2 },
    casino: flat,
  },
}

/** Factor on a player's activity on a local day (days since the epoch), 1 on average. */
export function seasonFactor(
  product: Product,
  region: Region,
  localDay: number,
  hasSeasons = true,
): number {
  // 1970-01-01 was a Thursday.
  const weekday = week[product][(((localDay + 4) % 7) + 7) % 7] ?? 1
  if (!hasSeasons) return weekday
  const { peak, swing } = seasons[region][product]
  return weekday * (1 + swing * Math.cos((2 * Math.PI * (localDay - peak)) / 365.2425))
}

export function localDayOf(at: number, utcOffsetMs: number): number {
  return Math.floor((at + utcOffsetMs) / dayMs)
}
