// Features and the scorer in one process: a vector is scored in the transaction that writes it.
import { openFeatures } from '@churnstream/features'
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
import { openScorer } from '@churnstream/scorer'
import { fused } from '@churnstream/topology'
import { config } from './config.ts'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(fused.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(fused.name)
  const health = new Health()

  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics,
  })
  await using tracing = await openTracing({
    service: fused.name,
    endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    log,
  })
  const schemas = new Schemas(toRegistryConnection(env))
  const kafka = createKafkajsKafka({
    ...toKafkaConnection(env),
    clientId: fused.name,
    log,
  })
  log.info('started')
  const features = await openFeatures({ schemas, health, log, signal })
  if (features === undefined) return
  const scorer = await openScorer({ env, kafka, schemas, metrics, health, log, signal })
  if (scorer === undefined) return
  await scorer.ready
  if (!signal.aborted) {
    await run({
      ...features,
      followedBy: scorer.stage,
      kafka,
      schemas,
      sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
      signal,
      log,
      metrics,
      health,
      tracing,
    })
  }
  await scorer.close()
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
