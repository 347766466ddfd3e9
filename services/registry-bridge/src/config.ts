// What does the bridge need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'
import { modelNamePrefix } from './contract.ts'

const intervalMs = z.coerce.number().int().min(100)

export const config = baseConfig
  .extend({
    HTTP_PORT: portWithDefault(services.registryBridge.port),
    MLFLOW_TRACKING_URI: z.url(),
    /** For an MLflow with basic authentication. */
    MLFLOW_TRACKING_USERNAME: z.string().min(1).optional(),
    MLFLOW_TRACKING_PASSWORD: z.string().optional(),
    /** Only for an S3 that is not Amazon's. Keys and region come from the usual AWS variables. */
    S3_ENDPOINT: z.url().optional(),
    /** Registered models with this prefix are ours; others in the same MLflow are left alone. */
    MODEL_NAME_PREFIX: z.string().default(modelNamePrefix),
    POLL_INTERVAL_MS: intervalMs.default(30_000),
    /** Where MLflow reaches this service, the same for all its replicas. Without it: polling only. */
    WEBHOOK_URL: z.url().optional(),
    /** Comma-separated; MLflow signs with the first, deliveries signed with any are believed. */
    WEBHOOK_SECRETS: z
      .string()
      .default('')
      .transform((list) => list.split(',').flatMap((one) => one.trim() || [])),
    /**
     * How old a delivery may be. MLflow stamps it once and repeats it for up to five minutes (four
     * attempts of 30 s, pauses of up to 60 s); the rest is for clocks that differ.
     */
    WEBHOOK_WINDOW_MS: z.coerce.number().int().min(1_000).default(900_000),
    /** Figures of a challenger reach MLflow at most that often. */
    REPORT_INTERVAL_MS: intervalMs.default(10_000),
    /** Whether an unhealthy champion is replaced by the version before it. */
    AUTOMATIC_ROLLBACK: z.stringbool().default(true),
  })
  .refine((env) => env.WEBHOOK_URL === undefined || env.WEBHOOK_SECRETS.length > 0, {
    path: ['WEBHOOK_SECRETS'],
    message: 'must hold a secret when WEBHOOK_URL is set',
  })
