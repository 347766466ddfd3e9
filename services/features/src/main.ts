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
  untilUp,
} from '@churnstream/runtime'
import { Decoder, Schemas } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { config } from './config.ts'
import { createEncoders, createFeatureProcessor } from './processor.ts'

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
  const encoders = await untilUp(
    'registry',
    'registering the schemas',
    () => createEncoders(schemas),
    { health, log, signal },
  )
  if (encoders === undefined) return
  await run({
    kafka,
    schemas,
    service,
    topic: topics.playerActivity,
    decoder: new Decoder('player-activity'),
    alongside: [{ topic: topics.privacyRequests, decoder: new Decoder('privacy-request') }],
    processor: createFeatureProcessor(encoders, schemas),
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
