// How does a service read its environment?
import { z } from 'zod'
import { FatalError } from './errors.ts'
import { clusterConfig } from './kafka-connection.ts'
import { readSecretFile } from './named-file.ts'

const port = z.coerce.number().int().min(0).max(65_535)

/** What every service reads; a service adds its own with `.extend`. */
export const baseConfig = clusterConfig.extend({
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** How long a member that fell silent keeps its partitions; brokers take no less than 6 s. */
  KAFKA_SESSION_TIMEOUT_MS: z.coerce.number().int().min(6_000).default(6_000),
  /** From commit to commit of who keeps up: shorter is sooner and dearer. */
  COMMIT_INTERVAL_MS: z.coerce.number().int().min(0).default(40),
  HTTP_HOST: z.string().default('127.0.0.1'),
  /** A collector that takes the spans of sampled requests; without it they are only logged. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
})

/** A port with the topology's port as its default; 0 lets the system choose. */
export const portWithDefault = (usual: number) => port.default(usual)

/** Each may stand in a file that NAME_FILE names, and should: an environment is easily shown. */
export const secretNames = [
  'KAFKA_SASL_PASSWORD',
  'SCHEMA_REGISTRY_PASSWORD',
  'DATABASE_URL',
  'WAREHOUSE_DATABASE_URL',
  'MLFLOW_TRACKING_PASSWORD',
  'WEBHOOK_SECRETS',
] as const

type Env = Readonly<Record<string, string | undefined>>

/**
 * The environment with the secrets that stand in files.
 * @throws FatalError that names a variable whose file can't be read, or that is set beside its file
 */
export function withSecrets<E extends Env>(env: E): E {
  const own: Record<string, string | undefined> = { ...env }
  for (const name of secretNames) {
    const file = own[`${name}_FILE`]
    if (file === undefined) continue
    if (own[name] !== undefined) throw new FatalError(`${name} and ${name}_FILE are both set`)
    own[name] = readSecretFile(`${name}_FILE`, file)
    delete own[`${name}_FILE`]
  }
  return own as E
}

/**
 * Parses the environment, with every problem at once.
 * @throws FatalError that lists each variable and what is wrong with it
 */
export function loadConfig<T extends z.ZodType>(schema: T, env: Env): Readonly<z.output<T>> {
  const result = schema.safeParse(withSecrets(env))
  if (result.success) return Object.freeze(result.data as object) as Readonly<z.output<T>>
  throw new FatalError(`The environment is not usable:\n${z.prettifyError(result.error)}`)
}
