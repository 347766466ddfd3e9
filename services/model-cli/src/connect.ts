// Where are MLflow, S3 and Kafka?
import { S3Client } from '@aws-sdk/client-s3'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import {
  FatalError,
  loadConfig,
  openCluster,
  parseS3Location,
  withSecrets,
  type Cluster,
} from '@churnstream/runtime'
import { readObject } from '@churnstream/runtime/s3'
import { noStack, runningVariables, usualDataDir } from '@churnstream/topology/local'
import { z } from 'zod'

const config = z.object({
  MLFLOW_TRACKING_URI: z.url(),
  MLFLOW_TRACKING_USERNAME: z.string().min(1).optional(),
  MLFLOW_TRACKING_PASSWORD: z.string().optional(),
  S3_ENDPOINT: z.url().optional(),
})

export interface Connection extends AsyncDisposable {
  readonly mlflow: Mlflow
  /** Where a demo keeps its data, whether it runs or not. */
  readonly dataDir: string
  /** For Python beside us. */
  readonly variables: Readonly<Record<string, string>>
  /** Connected when first asked for. @throws FatalError when the environment does not name them */
  streams(): Cluster
  /**
   * A file of a version's folder; undefined when it isn't there.
   * @throws TransientError when the store does not answer
   */
  readFile(location: string, path: string): Promise<Uint8Array | undefined>
}

/** @throws FatalError that says which variables are missing, or how to start a demo */
export function connect(
  env: Readonly<Record<string, string | undefined>>,
  dataDir = usualDataDir,
): Connection {
  const found = runningVariables(env, dataDir)
  if (found === undefined) throw new FatalError(noStack(dataDir))
  const variables = withSecrets(found)
  const known = loadConfig(config, variables)
  const { S3_ENDPOINT: endpoint, MLFLOW_TRACKING_USERNAME: username } = known
  const password = known.MLFLOW_TRACKING_PASSWORD
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = variables
  const store = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(variables['AWS_REGION'] === undefined ? {} : { region: variables['AWS_REGION'] }),
    // Without them the SDK looks where it usually does.
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
    maxAttempts: 2,
  })
  let streams: Cluster | undefined
  return {
    mlflow: createMlflow(known.MLFLOW_TRACKING_URI, { username, password }),
    dataDir,
    variables,
    streams() {
      for (const name of ['KAFKA_BOOTSTRAP_SERVERS', 'SCHEMA_REGISTRY_URL']) {
        if (variables[name] !== undefined) continue
        throw new FatalError(`${name} is not set: the scorers' reports come over Kafka`)
      }
      streams ??= openCluster(variables, 'model')
      return streams
    },
    async readFile(location, path) {
      const folder = parseS3Location(location)
      if (folder === undefined)
        throw new FatalError(`${location} is not of the form s3://bucket/prefix`)
      return readObject(store, folder.bucket, `${folder.prefix}/${path}`)
    },
    async [Symbol.asyncDispose]() {
      store.destroy()
      await streams?.kafka.close()
    },
  }
}
