// Where are MLflow, S3 and PostgreSQL?
import { S3Client } from '@aws-sdk/client-s3'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import { FatalError, createLog, loadConfig } from '@churnstream/runtime'
import { openDatabase, type Database } from '@churnstream/sinks'
import { noStack, runningVariables, usualDataDir } from '@churnstream/topology/local'
import { z } from 'zod'
import { createObjects, type Objects } from './objects.ts'

const config = z.object({
  MLFLOW_TRACKING_URI: z.url().optional(),
  MLFLOW_TRACKING_USERNAME: z.string().min(1).optional(),
  MLFLOW_TRACKING_PASSWORD: z.string().optional(),
  /** Only for an S3 that is not Amazon's. */
  S3_ENDPOINT: z.url().optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  AWS_REGION: z.string().min(1).optional(),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
})

/** Nothing is connected before it is asked for: a file and a folder of a model need no server. */
export interface Installation extends AsyncDisposable {
  /** @throws FatalError that says how to name it */
  mlflow(): Mlflow
  s3(): S3Client
  objects(): Objects
  /** @throws FatalError that says how to name it */
  database(): Database
}

/** The one in the environment, or the demo that runs on the folder. @throws FatalError */
export function openInstallation(
  env: Readonly<Record<string, string | undefined>>,
  dataDir = usualDataDir,
): Installation {
  const known = loadConfig(config, runningVariables(env, dataDir) ?? { ...env })
  const resources = new AsyncDisposableStack()
  const s3 = once(() => {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = known
    const sessionToken = known.AWS_SESSION_TOKEN
    const client = new S3Client({
      ...(known.S3_ENDPOINT === undefined
        ? {}
        : { endpoint: known.S3_ENDPOINT, forcePathStyle: true }),
      ...(known.AWS_REGION === undefined ? {} : { region: known.AWS_REGION }),
      // Without them the SDK looks where it usually does.
      ...(accessKeyId && secretAccessKey
        ? {
            credentials: {
              accessKeyId,
              secretAccessKey,
              ...(sessionToken === undefined ? {} : { sessionToken }),
            },
          }
        : {}),
      requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
      maxAttempts: 3,
    })
    resources.defer(() => client.destroy())
    return client
  })
  return {
    mlflow: once(() => {
      const { MLFLOW_TRACKING_URI: uri, MLFLOW_TRACKING_USERNAME: username } = known
      if (uri === undefined) throw new FatalError(noStack(dataDir))
      return createMlflow(uri, { username, password: known.MLFLOW_TRACKING_PASSWORD })
    }),
    s3,
    objects: once(() => createObjects(s3())),
    database: once(() => {
      if (known.DATABASE_URL === undefined) {
        throw new FatalError(
          'there is no PostgreSQL: DATABASE_URL is not set, as ' +
            'postgresql://user:password@host:port/database, and no demo runs',
        )
      }
      return resources.use(
        openDatabase({
          url: known.DATABASE_URL,
          maxConnections: 2,
          statementTimeoutMs: 60_000,
          applicationName: 'churnstream-batch',
          // What matters comes as an error; its own lines would mix with the result.
          log: createLog('batch', 'silent'),
        }),
      )
    }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
