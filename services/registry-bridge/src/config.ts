// What does the bridge need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'

export const config = baseConfig.extend({
  HTTP_PORT: portWithDefault(services.registryBridge.port),
  MLFLOW_TRACKING_URI: z.url(),
  /** Only for an S3 that is not Amazon's. Keys and region come from the usual AWS variables. */
  S3_ENDPOINT: z.url().optional(),
  /** Registered models with this prefix are ours; others in the same MLflow are left alone. */
  MODEL_NAME_PREFIX: z.string().default('churn-'),
  POLL_INTERVAL_MS: z.coerce.number().int().min(100).default(30_000),
})
