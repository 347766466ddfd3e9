// How does the environment become what the assessor is told?
import type { z } from 'zod'
import type { config } from './config.ts'
import type { AssessorSettings } from './core/assessor.ts'
import { watchedPartitions } from './inputs.ts'

export const settingsOf = (env: Readonly<z.output<typeof config>>): AssessorSettings => ({
  inputs: {
    minRows: env.MIN_ROWS,
    minRowsOfRates: env.MIN_ROWS_OF_RATES,
    level: env.DRIFT_LEVEL,
    featureEffect: env.FEATURE_EFFECT,
    scoreEffect: env.SCORE_EFFECT,
    rateEffect: env.RATE_EFFECT,
  },
  performance: {
    minLabels: env.MIN_LABELS,
    minChurned: env.MIN_CHURNED,
    aucEffect: env.AUC_EFFECT,
    logLossEffect: env.LOG_LOSS_EFFECT,
    calibrationError: env.CALIBRATION_ERROR,
  },
  policy: {
    calendarDays: env.RETRAIN_CALENDAR_DAYS,
    cooldownDays: env.RETRAIN_COOLDOWN_DAYS,
    minLabels: env.MIN_LABELS,
    minChurned: env.MIN_CHURNED,
    driftedShare: env.RETRAIN_DRIFTED_SHARE,
    enoughLabels: env.RETRAIN_ENOUGH_LABELS,
    qualityHoldDays: env.RETRAIN_QUALITY_HOLD_DAYS,
  },
  windowDays: env.WINDOW_DAYS,
  partitions: watchedPartitions(env.WATCHED_SHARE),
  patienceDays: env.PATIENCE_DAYS,
  namePrefix: env.MODEL_NAME_PREFIX,
})
