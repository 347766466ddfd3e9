// What does the scorer need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'

export const config = baseConfig.extend({
  HTTP_PORT: portWithDefault(services.scorer.port),
  /** Only for an S3 that is not Amazon's. Keys and region come from the usual AWS variables. */
  S3_ENDPOINT: z.url().optional(),
  MODEL_NAME: z.string().min(1).default('churn-default'),
  MODEL_ALIAS: z.string().min(1).default('champion'),
})
