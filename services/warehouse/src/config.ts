// What does the warehouse's keeper need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { databaseUrl } from '@churnstream/sinks'
import { connectSecrets, warehousePort } from '@churnstream/topology'
import { z } from 'zod'

export const config = baseConfig.pick({ HTTP_HOST: true, LOG_LEVEL: true }).extend({
  /** Kafka Connect's REST interface. */
  CONNECT_URL: z.url(),
  /** Where the worker, not this process, finds passwords. */
  CONNECT_SECRETS_DIR: z.string().default(connectSecrets.folder),
  /** Of the warehouse, as the owner of its tables. */
  DATABASE_URL: databaseUrl,
  /** How often the connectors are asked whether they run. */
  CHECK_INTERVAL_MS: z.coerce.number().int().min(100).default(5_000),
  HTTP_PORT: portWithDefault(warehousePort),
})
