// Which servers does the command reach?
import { openInstallation, type Installation } from '@churnstream/batch'
import { openPseudonyms } from '@churnstream/ingestion'
import { FatalError, loadConfig, openCluster, createLog, type Cluster } from '@churnstream/runtime'
import { openDatabase, type Database } from '@churnstream/sinks'
import { noStack, runningVariables } from '@churnstream/topology/local'
import { z } from 'zod'
import type { Place } from './objects.ts'

const config = z.object({
  PLAYER_ID_KEY_FILE: z.string().min(1).optional(),
  S3_BUCKET: z.string().min(1).optional(),
  WAREHOUSE_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
})

export interface Connection extends AsyncDisposable, Cluster {
  /** What ingestion makes of a player's id. */
  readonly toPlayerId: (id: string) => string
  readonly database: Database
  /** Of the warehouse, where there is one. */
  readonly warehouse: Database | undefined
  readonly objects: Place
}

/** @throws FatalError when something that a proof must read is not named */
export function connect(
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
  locations: readonly string[],
): Connection {
  const variables = runningVariables(env, dataDir)
  if (variables?.['KAFKA_BOOTSTRAP_SERVERS'] === undefined) throw new FatalError(noStack(dataDir))
  const own = loadConfig(config, variables)
  const places =
    locations.length > 0 || own.S3_BUCKET === undefined ? locations : [`s3://${own.S3_BUCKET}`]
  if (places.length === 0) {
    throw new FatalError('S3_BUCKET is not set: say where objects are with --objects s3://bucket')
  }
  const toPlayerId =
    own.PLAYER_ID_KEY_FILE === undefined
      ? (id: string) => id
      : openPseudonyms(own.PLAYER_ID_KEY_FILE)
  const installation: Installation = openInstallation(env, dataDir)
  const cluster = openCluster(variables, 'privacy')
  const warehouse =
    own.WAREHOUSE_DATABASE_URL === undefined
      ? undefined
      : openDatabase({
          url: own.WAREHOUSE_DATABASE_URL,
          maxConnections: 1,
          statementTimeoutMs: 60_000,
          applicationName: 'churnstream-privacy',
          log: createLog('privacy', 'silent'),
        })
  return {
    ...cluster,
    toPlayerId,
    database: installation.database(),
    warehouse,
    objects: { objects: installation.objects(), s3: installation.s3(), locations: places },
    async [Symbol.asyncDispose]() {
      await cluster.kafka.close()
      await warehouse?.[Symbol.asyncDispose]()
      await installation[Symbol.asyncDispose]()
    },
  }
}
