// How does the MLflow server run, with its data in PostgreSQL and its artifacts in S3?
import { join } from 'node:path'
import type { Context } from './context.ts'
import { postgresUrl } from './postgres.ts'
import { s3Location } from './s3.ts'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 2_000

/** What any Python program needs to reach MLflow and, directly, the artifacts in S3. */
export function pythonEnv(context: Context): Record<string, string> {
  const { endpoint, accessKeyId, secretAccessKey, region } = s3Location(context)
  return {
    MLFLOW_TRACKING_URI: `http://127.0.0.1:${context.ports.mlflow}`,
    MLFLOW_S3_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: region,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    PYTHONUNBUFFERED: '1',
  }
}

export function mlflowSpec(context: Context): ServerSpec {
  const { dataDir, ports, python } = context
  const { postgresPassword, mlflowWebhookKey } = dataDir.secrets
  // The user's own tracking server must not be taken for ours while ours starts.
  const { MLFLOW_TRACKING_URI: _, ...serverEnv } = pythonEnv(context)
  const stores = [
    `--backend-store-uri=${postgresUrl(ports.postgres, postgresPassword, 'mlflow')}`,
    `--default-artifact-root=s3://${s3Location(context).bucket}/mlflow`,
    '--no-serve-artifacts',
  ]
  const address = ['--host=127.0.0.1', `--port=${ports.mlflow}`, '--workers=1']
  return {
    name: 'mlflow',
    command: python,
    args: ['-m', 'mlflow', 'server', ...stores, ...address],
    cwd: dataDir.path,
    logFile: join(dataDir.path, 'logs', 'mlflow.log'),
    env: {
      ...serverEnv,
      MLFLOW_TRACKING_URI: undefined,
      // Its job runner starts several more Python processes, for features that are not used here.
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_WEBHOOK_ALLOWED_SCHEMES: 'http,https',
      MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true',
      MLFLOW_WEBHOOK_CACHE_TTL: '0',
      // Random per start otherwise, and then the stored webhooks cannot be read.
      MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: mlflowWebhookKey,
    },
    port: ports.mlflow,
    async answers() {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const response = await fetch(`http://127.0.0.1:${ports.mlflow}/health`, { signal })
      return response.ok && (await response.text()) === 'OK'
    },
  }
}
