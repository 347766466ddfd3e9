// How does a service read its environment?
import { z } from 'zod'
import { FatalError } from './errors.ts'

const port = z.coerce.number().int().min(0).max(65_535)

/** What every service reads; a service adds its own with `.extend`. */
export const baseConfig = z.object({
  KAFKA_BOOTSTRAP_SERVERS: z
    .string()
    .min(1)
    .transform((list) => list.split(',').map((server) => server.trim())),
  SCHEMA_REGISTRY_URL: z.url(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** How long a member that fell silent keeps its partitions; brokers take no less than 6 s. */
  KAFKA_SESSION_TIMEOUT_MS: z.coerce.number().int().min(6_000).default(6_000),
  HTTP_HOST: z.string().default('127.0.0.1'),
  /** A collector that takes the spans of sampled requests; without it they are only logged. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
})

/** A port with the topology's port as its default; 0 lets the system choose. */
export const portWithDefault = (usual: number) => port.default(usual)

/**
 * Parses the environment, with every problem at once.
 * @throws FatalError that lists each variable and what is wrong with it
 */
export function loadConfig<T extends z.ZodType>(
  schema: T,
  env: Record<string, string | undefined>,
): Readonly<z.output<T>> {
  const result = schema.safeParse(env)
  if (result.success) return Object.freeze(result.data as object) as Readonly<z.output<T>>
  throw new FatalError(`The environment is not usable:\n${z.prettifyError(result.error)}`)
}
