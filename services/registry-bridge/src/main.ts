// The registry bridge: what MLflow's aliases name, onto registry-events.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  loadConfig,
  openOperations,
  runMain,
  shutdownSignal,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { services } from '@churnstream/topology'
import { Counter } from 'prom-client'
import { createS3Folders } from './artifacts.ts'
import { runBridge } from './bridge.ts'
import { config } from './config.ts'
import { createMlflow } from './mlflow.ts'

const service = services.registryBridge

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(service.name)
  const health = new Health()
  const announced = new Counter({
    name: 'churnstream_registry_events_total',
    help: 'Registry events written, by how the change was found',
    labelNames: ['origin'],
    registers: [metrics.registry],
  })

  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics,
  })
  const kafka = createKafkajsKafka({
    brokers: env.KAFKA_BOOTSTRAP_SERVERS,
    clientId: service.name,
    log,
  })
  log.info('started')
  await runBridge({
    kafka,
    schemas: new Schemas({ url: env.SCHEMA_REGISTRY_URL }),
    mlflow: createMlflow(env.MLFLOW_TRACKING_URI),
    describeFolder: createS3Folders(env.S3_ENDPOINT),
    namePrefix: env.MODEL_NAME_PREFIX,
    pollIntervalMs: env.POLL_INTERVAL_MS,
    signal,
    log,
    health,
    onAnnounced: (origin) => announced.inc({ origin }),
  })
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
