// Which simulated world is the model trained in, and which then goes on with a drift in it?
import type { Plant, Simulation } from '@churnstream/simulator'

const dayMs = 86_400_000

/** A Thursday, on which windows begin. */
export const liveFrom = Date.UTC(2025, 10, 13)
export const liveDays = 98
/** Time for the population to come of age, then days to train and test on. */
export const settlingDays = 900
export const trainingDays = 160
/** What is planted begins with the third window. */
export const plantedFrom = liveFrom + 14 * dayMs

const historyFrom = liveFrom - (settlingDays + trainingDays) * dayMs
export const trainFrom = historyFrom + settlingDays * dayMs

/** Sign-ups go on all the time: a population that only ages would drift by itself. */
export function worldOf(plants: readonly Plant[] = []): Simulation {
  const endAt = liveFrom + liveDays * dayMs
  return {
    seed: 20_260_101,
    players: 8_500,
    startAt: historyFrom,
    endAt,
    signUpDays: (endAt - historyFrom) / dayMs,
    // A season is a drift by itself.
    hasSeasons: false,
    plants,
  }
}
