// What does the warehouse's keeper need from its environment?
import { portWithDefault } from '@churnstream/runtime'
import { connectSecrets, warehousePort } from '@churnstream/topology'
import { z } from 'zod'

export const config = z.object({
  /** Kafka Connect's REST interface. */
  CONNECT_URL: z.url(),
  /** Where the worker, not this process, finds passwords. */
  CONNECT_SECRETS_DIR: z.string().default(connectSecrets.folder),
  /** Of the warehouse, as the owner of its tables. */
  DATABASE_URL: z.url({
    protocol: /^postgres(ql)?$/,
    error: 'must be postgresql://user:password@host:port/database',
  }),
  /** How often the connectors are asked whether they run. */
  CHECK_INTERVAL_MS: z.coerce.number().int().min(100).default(5_000),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: portWithDefault(warehousePort),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
})
