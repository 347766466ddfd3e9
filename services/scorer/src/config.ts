// What does the scorer need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { hostname } from 'node:os'
import { z } from 'zod'
import { usualLimits } from './gates.ts'

const positive = z.coerce.number().positive()
const share = z.coerce.number().min(0).max(1)

/** Of the scorer, in whichever process it runs. */
export const scorerConfig = (port: number) =>
  baseConfig
    .extend({
      HTTP_PORT: portWithDefault(port),
      /** Only for an S3 that is not Amazon's. Keys and region come from the usual AWS variables. */
      S3_ENDPOINT: z.url().optional(),
      /** Registered models are named <prefix><market>; <prefix>default serves every other market. */
      MODEL_NAME_PREFIX: z.string().min(1).default('churn-'),
      /** This process's name in load reports; another one of the same name must not run. */
      REPLICA: z.string().min(1).optional(),
      REPORT_INTERVAL_MS: z.coerce.number().int().min(100).default(30_000),
      MODEL_MAX_FILE_BYTES: positive.default(usualLimits.maxFileBytes),
      MODEL_MAX_MEMORY_BYTES: positive.default(usualLimits.maxMemoryBytes),
      MODEL_MAX_MICROSECONDS_PER_ROW: positive.default(usualLimits.maxMicrosecondsPerRow),
      MODEL_TRIAL_TIMEOUT_MS: positive.default(usualLimits.trialTimeoutMs),
      GUARD_WINDOW_MS: z.coerce.number().min(0).default(300_000),
      GUARD_MIN_ROWS: positive.default(500),
      GUARD_MAX_ERROR_SHARE: share.default(0.01),
      GUARD_MAX_SCORE_SHIFT: positive.default(0.5),
      SHADOW_SAMPLE: share.default(1),
      SHADOW_WAIT_MS: z.coerce.number().min(0).default(100),
    })
    .transform((env) => ({ ...env, REPLICA: env.REPLICA ?? `${hostname()}:${env.HTTP_PORT}` }))

export const config = scorerConfig(services.scorer.port)

export type ScorerEnv = z.output<typeof config>
