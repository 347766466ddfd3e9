// How does the MLflow server run, with its data in PostgreSQL and its artifacts in S3?
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context, Secured } from './context.ts'
import { postgresUrl } from './postgres.ts'
import { s3Location } from './s3.ts'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 2_000

/** What any Python program needs to reach MLflow and, directly, the artifacts in S3. */
export function pythonEnv(context: Context): Record<string, string> {
  const { endpoint, accessKeyId, secretAccessKey, region } = s3Location(context)
  const user = context.secured && mlflowUser(context.secured)
  return {
    MLFLOW_TRACKING_URI: `http://127.0.0.1:${context.ports.mlflow}`,
    ...(user && {
      MLFLOW_TRACKING_USERNAME: user.username,
      MLFLOW_TRACKING_PASSWORD: user.password,
    }),
    MLFLOW_S3_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: region,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    PYTHONUNBUFFERED: '1',
  }
}

export const mlflowUser = ({ mlflowPassword: password }: Secured) => ({
  username: 'admin',
  password,
})

/** MLflow's own users and passwords, beside its data. */
function guarded(context: Context, { mlflowPassword }: Secured) {
  const { dataDir, ports } = context
  const file = join(dataDir.path, 'mlflow-auth.ini')
  const database = postgresUrl(ports.postgres, dataDir.secrets.postgresPassword, 'mlflow')
  const lines = ['[mlflow]', 'default_permission = READ', `database_uri = ${database}`]
  const users = ['admin_username = admin', `admin_password = ${mlflowPassword}`]
  const how = 'authorization_function = mlflow.server.auth:authenticate_request_basic_auth'
  writeFileSync(file, `${[...lines, ...users, how].join('\n')}\n`, { mode: 0o600 })
  return {
    args: ['--app-name=basic-auth'],
    env: {
      MLFLOW_AUTH_CONFIG_PATH: file,
      // Of the forms on its pages.
      MLFLOW_FLASK_SERVER_SECRET_KEY: randomBytes(32).toString('hex'),
    },
  }
}

export function mlflowSpec(context: Context): ServerSpec {
  const { dataDir, ports, python } = context
  const { postgresPassword, mlflowWebhookKey } = dataDir.secrets
  // The user's own tracking server must not be taken for ours while ours starts.
  const { MLFLOW_TRACKING_URI: _, ...serverEnv } = pythonEnv(context)
  const guard = context.secured && guarded(context, context.secured)
  const stores = [
    `--backend-store-uri=${postgresUrl(ports.postgres, postgresPassword, 'mlflow')}`,
    `--default-artifact-root=s3://${s3Location(context).bucket}/mlflow`,
    '--no-serve-artifacts',
  ]
  const address = ['--host=127.0.0.1', `--port=${ports.mlflow}`, '--workers=1']
  return {
    name: 'mlflow',
    command: python,
    args: ['-m', 'mlflow', 'server', ...stores, ...address, ...(guard?.args ?? [])],
    cwd: dataDir.path,
    logFile: join(dataDir.path, 'logs', 'mlflow.log'),
    env: {
      ...serverEnv,
      ...guard?.env,
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
