// What does the sinks service need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'

export const databaseUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'must be postgresql://user:password@host:port/database',
})

export const config = baseConfig.extend({
  HTTP_PORT: portWithDefault(services.sinks.port),
  DATABASE_URL: databaseUrl,
  /** Nobody waits for a row as they do for a score. */
  COMMIT_INTERVAL_MS: z.coerce.number().int().min(0).default(200),
  /** Partitions are written beside each other: connections held at most. */
  DATABASE_MAX_CONNECTIONS: z.coerce.number().int().min(1).default(8),
  DATABASE_STATEMENT_TIMEOUT_MS: z.coerce.number().int().min(100).default(10_000),
})
