// How long does a day stay open?

export const dayMs = 86_400_000
/** UTC day since the epoch. */
export const dayOf = (at: number): number => Math.floor(at / dayMs)

/** A player has churned when so many UTC days after the day hold no bet; features decides. */
export const horizonDays = 28
/** So much longer features waits for bets that arrive late. */
export const labelLatenessDays = 2

/** Scores of a day are taken until their topic is so many whole days past it. */
export const latenessDays = 1

/** Once every topic has reached this day, all scores of the given one have come. */
export const inputsDueOn = (day: number): number => day + 1 + latenessDays

/** Features settles the last label when the clock passes the wait; a day more, and it has come. */
export const cohortDueOn = (day: number): number => day + horizonDays + labelLatenessDays + 2

/** Tenure bands by their last whole day; who has been here longer is in a band of their own. */
export const tenureBandEnds = [7, 30, 90] as const
export const tenureBandNames = ['0-7d', '8-30d', '31-90d', 'over-90d'] as const

export function tenureBandOf(tenureDays: number): number {
  const band = tenureBandEnds.findIndex((end) => tenureDays < end + 1)
  return band < 0 ? tenureBandEnds.length : band
}
