// Which world drifts in the scenario, and what are the services in it told?
import type { Plant, Simulation } from '@churnstream/simulator'
import { retrainingByItself } from '../../pipeline/retraining.ts'
import type { Lesson } from '../../pipeline/model.ts'

export const dayMs = 86_400_000
/** A Thursday, on which the monitor's weeks begin. */
export const liveFrom = Date.UTC(2026, 0, 1)
const historyDays = 160
/** Enough for three requests, a trial, and six weeks to see what came of it. */
const mostLiveDays = 240
const startAt = liveFrom - historyDays * dayMs

/** Who would have left is back, who was on a break is gone: the inputs look as before. */
export const plant: Plant = { kind: 'concept-drift', from: liveFrom + dayMs }

const quiet: Simulation = {
  seed: 5,
  players: 4_500,
  startAt,
  endAt: liveFrom + mostLiveDays * dayMs,
  // All the time: a population that only ages would drift by itself.
  signUpDays: historyDays + mostLiveDays,
  clockEveryMs: dayMs / 2,
  // A season is a drift by itself.
  hasSeasons: false,
}

export const world: Simulation = { ...quiet, plants: [plant] }

/** Everything that had happened when the live stream began: nothing of the drift. */
export const lesson: Lesson = {
  name: 'before-the-drift',
  history: { ...quiet, endAt: liveFrom },
  share: 1,
  testDays: 14,
}

/** Wall time is short here and event time runs: only what counts minutes is told otherwise. */
export const env = {
  registryBridge: { REPORT_INTERVAL_MS: '1000' },
  scorer: {
    REPORT_INTERVAL_MS: '1000',
    // A trial that skipped rows because the machine was busy would say less.
    SHADOW_WAIT_MS: '5000',
    GUARD_WINDOW_MS: '60000',
  },
  monitor: {
    COMMIT_INTERVAL_MS: '500',
    // Every partition has players, and they are played in step.
    PATIENCE_DAYS: '1000',
    // A young population grows older: its inputs move without a drift of what they mean.
    RETRAIN_DRIFTED_SHARE: '1',
    RETRAIN_CALENDAR_DAYS: '0',
    // Weeks of fewer labels, of when it was younger still, say too little.
    MIN_LABELS: '2000',
    // As long as a label takes, and a week to judge by.
    RETRAIN_COOLDOWN_DAYS: '35',
  },
}

export const dagster = (noticesUrl: string): Readonly<Record<string, string>> => ({
  ...retrainingByItself(noticesUrl),
  // A week of the newest labels judges, and what is learned from is not older than the drift needs.
  RETRAINING_COHORT_DAYS: '7',
  RETRAINING_HISTORY_DAYS: '100',
  TRIAL_LEAST_ROWS: '4000',
  TRIAL_LEAST_MINUTES: '0.5',
})
