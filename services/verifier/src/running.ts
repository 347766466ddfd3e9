// How does the verifier reach an installation?
import { clusterConfig, loadConfig, toRegistryConnection, withSecrets } from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { findPython, venvPython } from '@churnstream/topology/local'
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { openKafkaReader } from './kafka-reader.ts'
import { createRecompute } from './recompute.ts'
import { openRows } from './rows.ts'
import { verify, type Verified } from './verify.ts'

export interface VerifyRunningOptions {
  /** KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL, DATABASE_URL and what MLflow's client needs. */
  readonly variables: Readonly<Record<string, string>>
  readonly acknowledged: readonly string[] | undefined
  readonly sample: number
  readonly onProgress: (line: string) => void
}

const config = clusterConfig.extend({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
})

/** @throws Error when something that is needed is missing or away */
export async function verifyRunning(options: VerifyRunningOptions): Promise<Verified> {
  // For Python too, whose clients know no files.
  const variables = withSecrets(options.variables)
  const { DATABASE_URL: databaseUrl, ...cluster } = loadConfig(config, variables)
  const base = await findPython()
  const python = base.python === undefined ? undefined : venvPython(base.version)
  if (python === undefined || !existsSync(python)) {
    throw new Error("Python's packages are not installed: run this with npm run verify")
  }
  await using resources = new AsyncDisposableStack()
  const reader = resources.use(openKafkaReader(python, variables))
  const rows = databaseUrl === undefined ? undefined : resources.use(await openRows(databaseUrl))
  return await verify({
    reader,
    schemas: new Schemas(toRegistryConnection(cluster)),
    recompute: createRecompute(python, variables),
    readRows: rows === undefined ? undefined : (partition) => rows.read(partition),
    acknowledged: options.acknowledged,
    sample: options.sample,
    onProgress: options.onProgress,
  })
}
