// What does the monitor need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'
import { usualInputSettings as inputs } from './core/inputs.ts'
import { usualPerformanceSettings as performance } from './core/performance-of.ts'
import { usualPolicySettings as policy } from './core/policy.ts'

const whole = z.coerce.number().int().min(0)
const days = z.coerce.number().int().min(1)
const share = z.coerce.number().min(0).max(1)
/** 0 says never. */
const orNever = whole.transform((value) => (value === 0 ? null : value))

export const config = baseConfig.extend({
  HTTP_PORT: portWithDefault(services.monitor.port),
  /** Only for an S3 that is not Amazon's. Keys and region come from the usual AWS variables. */
  S3_ENDPOINT: z.url().optional(),
  MODEL_NAME_PREFIX: z.string().default('churn-'),
  /** Share of the players, drawn by their ids: 5,000 or more of them tell as much as all. */
  WATCHED_SHARE: z.coerce.number().gt(0).max(1).default(1),
  /** Share of the players upon whose scores nobody acts: their labels alone say how good scores are. */
  CONTROL_SHARE: z.coerce.number().gt(0).max(1).default(1),
  /** Draws them; whoever acts upon scores has the same. */
  CONTROL_SALT: z.string().min(1).default('control'),
  /** Nobody waits for a window of days. */
  COMMIT_INTERVAL_MS: whole.default(10_000),
  /** Days of a drift or performance window. */
  WINDOW_DAYS: days.default(7),
  /** A partition so many event days behind the first is not waited for. */
  PATIENCE_DAYS: days.default(3),
  MIN_ROWS: whole.default(inputs.minRows),
  MIN_ROWS_OF_RATES: whole.default(inputs.minRowsOfRates),
  DRIFT_LEVEL: share.default(inputs.level),
  FEATURE_EFFECT: share.default(inputs.featureEffect),
  SCORE_EFFECT: share.default(inputs.scoreEffect),
  RATE_EFFECT: share.default(inputs.rateEffect),
  MIN_LABELS: whole.default(performance.minLabels),
  MIN_CHURNED: whole.default(performance.minChurned),
  AUC_EFFECT: share.default(performance.aucEffect),
  LOG_LOSS_EFFECT: share.default(performance.logLossEffect),
  CALIBRATION_ERROR: share.default(performance.calibrationError),
  RETRAIN_CALENDAR_DAYS: orNever.default(policy.calendarDays),
  RETRAIN_COOLDOWN_DAYS: whole.default(policy.cooldownDays),
  RETRAIN_ENOUGH_LABELS: orNever.default(policy.enoughLabels),
  RETRAIN_DRIFTED_SHARE: share.default(policy.driftedShare),
  RETRAIN_QUALITY_HOLD_DAYS: whole.default(policy.qualityHoldDays),
})
