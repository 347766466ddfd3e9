// How does a Kafka Connect worker run, with the plugins that fill the warehouse?
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectSecrets, icebergFolder, warehouse, workerSettings } from '../src/index.ts'
import type { Context } from './context.ts'
import { connectDir } from './places.mjs'
import { s3Location } from './s3.ts'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 2_000

export const connectUrl = (port: number): string => `http://127.0.0.1:${port}`
export const connectSecretsDir = (dataDir: string): string => join(dataDir, 'connect', 'secrets')

/** @throws Error when its plugins are not installed */
export function connectSpec(context: Context): ServerSpec {
  const { dataDir, ports, java, serversDir, kafkaNodes } = context
  const s3 = s3Location(context)
  const plugins = join(connectDir(), 'plugins')
  if (!existsSync(plugins)) {
    throw new Error(
      "Kafka Connect's plugins are not installed. Run `npm run demo -- --with warehouse`.",
    )
  }
  const dir = join(dataDir.path, 'connect')
  const secrets = connectSecretsDir(dataDir.path)
  const properties = join(dir, 'worker.properties')
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  writeFileSync(join(secrets, connectSecrets.warehousePassword), dataDir.secrets.postgresPassword, {
    mode: 0o600,
  })
  const settings = {
    ...workerSettings,
    'config.providers.directory.param.allowed.paths': secrets,
    'plugin.path': plugins,
    // There is one worker: nobody comes back for whom its tasks should wait.
    'scheduled.rebalance.max.delay.ms': '0',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(properties, lines.join(''))
  const log4j = `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.yaml')}`
  // The sink writes timestamps by the zone of its process.
  const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Duser.timezone=UTC']
  const main = 'org.apache.kafka.connect.cli.ConnectDistributed'
  const url = connectUrl(ports.connect)
  return {
    name: 'connect',
    command: java,
    args: [...jvm, log4j, '-cp', join(serversDir, 'kafka', '*'), main, properties],
    cwd: dir,
    logFile: join(dataDir.path, 'logs', 'connect.log'),
    env: {
      KAFKA_BOOTSTRAP_SERVERS: kafkaNodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
      APICURIO_REGISTRY_URL: `http://127.0.0.1:${ports.registry}/apis/registry/v2`,
      CONNECT_LISTENERS: url,
      CONNECT_ADVERTISED_HOST: '127.0.0.1',
      WAREHOUSE_JDBC_URL: `jdbc:postgresql://127.0.0.1:${ports.postgres}/${warehouse}?sslmode=disable`,
      WAREHOUSE_USER: warehouse,
      // Soon, because a person watches a demo for minutes.
      WAREHOUSE_COMMIT_INTERVAL_MS: '5000',
      WAREHOUSE_S3_ENDPOINT: s3.endpoint,
      WAREHOUSE_S3_LOCATION: `s3://${s3.bucket}/${icebergFolder}`,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      AWS_REGION: s3.region,
      // The gateway takes no checksums behind a body.
      AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
      AWS_RESPONSE_CHECKSUM_VALIDATION: 'WHEN_REQUIRED',
    },
    port: ports.connect,
    async answers() {
      const signal = AbortSignal.timeout(answerTimeoutMs)
      const response = await fetch(`${url}/connectors`, { signal })
      return response.ok && Array.isArray(await response.json())
    },
  }
}
