// The features service: player-activity in, feature-vectors and player-outcomes out.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  loadConfig,
  openOperations,
  openTracing,
  run,
  runMain,
  shutdownSignal,
  toKafkaConnection,
  toRegistryConnection,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { services } from '@churnstream/topology'
import { config } from './config.ts'
import { openFeatures } from './open.ts'

const service = services.features

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(service.name)
  const health = new Health()

  // Opened in order, closed in reverse: the broker outlives everything that still has to flush.
  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics,
  })
  await using tracing = await openTracing({
    service: service.name,
    endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    log,
  })
  const schemas = new Schemas(toRegistryConnection(env))
  const kafka = createKafkajsKafka({
    ...toKafkaConnection(env),
    clientId: service.name,
    log,
  })
  log.info('started')
  const stage = await openFeatures({ schemas, health, log, signal })
  if (stage === undefined) return
  await run({
    ...stage,
    kafka,
    schemas,
    sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
    signal,
    log,
    metrics,
    health,
    tracing,
  })
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
