// The scorer: feature-vectors in, churn-scores out, with the models that MLflow's aliases name.
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
import { openScorer } from './open.ts'

const service = services.scorer

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(service.name)
  const health = new Health()

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
  const scorer = await openScorer({ env, kafka, schemas, metrics, health, log, signal })
  if (scorer === undefined) return
  await scorer.ready
  if (!signal.aborted) {
    await run({
      ...scorer.stage,
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
