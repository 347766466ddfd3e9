// The registry bridge: what MLflow's aliases name, onto registry-events; what scorers report, to MLflow.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  loadConfig,
  openOperations,
  runMain,
  shutdownSignal,
  toKafkaConnection,
  toRegistryConnection,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { services } from '@churnstream/topology'
import manifest from '../package.json' with { type: 'json' }
import { createFolderClient, createS3Folders } from './artifacts.ts'
import { createBridge } from './bridge.ts'
import { config } from './config.ts'
import { webhookRoutes } from './deliveries.ts'
import { createBridgeMetrics } from './metrics.ts'
import { createMlflow } from './mlflow.ts'

const service = services.registryBridge

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(service.name)
  const bridgeMetrics = createBridgeMetrics(metrics)
  const health = new Health()

  const kafka = createKafkajsKafka({
    ...toKafkaConnection(env),
    clientId: service.name,
    log,
  })
  const bridge = createBridge({
    kafka,
    schemas: new Schemas(toRegistryConnection(env)),
    mlflow: createMlflow(env.MLFLOW_TRACKING_URI, {
      username: env.MLFLOW_TRACKING_USERNAME,
      password: env.MLFLOW_TRACKING_PASSWORD,
    }),
    describeFolder: createS3Folders(createFolderClient(env.S3_ENDPOINT)),
    namePrefix: env.MODEL_NAME_PREFIX,
    pollIntervalMs: env.POLL_INTERVAL_MS,
    reportIntervalMs: env.REPORT_INTERVAL_MS,
    automaticRollback: env.AUTOMATIC_ROLLBACK,
    webhook: {
      url: env.WEBHOOK_URL,
      secrets: env.WEBHOOK_SECRETS,
      windowMs: env.WEBHOOK_WINDOW_MS,
    },
    by: `${service.name} ${manifest.version}`,
    now: () => Date.now(),
    log,
    health,
    metrics: bridgeMetrics,
  })
  const countDelivery = (result: string): void => bridgeMetrics.deliveries.inc({ result })
  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics,
    routes: webhookRoutes((headers, body) => bridge.receive(headers, body), countDelivery),
  })
  log.info('started')
  await bridge.run(signal)
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
