// How does another command reach the servers of a running stack?
import { environmentFile, type Stack } from '@churnstream/topology/local'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Environment {
  /** What a service, or Python beside it, needs in its environment. */
  readonly variables: Readonly<Record<string, string>>
  close(): void
}

/** Leaves the variables in the data folder while the stack runs, for `npm run model`. */
export function openEnvironment(stack: Stack, dataDir: string): Environment {
  const variables = {
    ...stack.pythonEnv,
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
    SCHEMA_REGISTRY_URL: stack.registry.url,
    MLFLOW_TRACKING_URI: stack.mlflow.url,
    DATABASE_URL: stack.postgres.url('churnstream'),
    WAREHOUSE_DATABASE_URL: stack.postgres.url('warehouse'),
    DAGSTER_HOME: join(dataDir, 'dagster'),
    DAGSTER_PG_URL: stack.postgres.url('dagster'),
    S3_BUCKET: stack.s3.bucket,
    S3_ENDPOINT: stack.s3.endpoint,
    AWS_ACCESS_KEY_ID: stack.s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: stack.s3.secretAccessKey,
    AWS_REGION: stack.s3.region,
  }
  const file = join(dataDir, environmentFile)
  // It names keys.
  writeFileSync(file, `${JSON.stringify(variables, null, 2)}\n`, { mode: 0o600 })
  return { variables, close: () => rmSync(file, { force: true }) }
}
