// The sinks: churn-scores in, rows of PostgreSQL out.
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
import { Decoder, Schemas } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { config } from './config.ts'
import { openDatabase } from './database.ts'
import { createSinkMetrics } from './metrics.ts'
import { createSinkProcessor } from './processor.ts'
import { prepareDatabase, watchDatabase } from './readiness.ts'

const service = services.sinks

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const failed = new AbortController()
  const signal = AbortSignal.any([shutdownSignal(), failed.signal])
  const metrics = createMetrics(service.name)
  const health = new Health()

  // Opened in order, closed in reverse: the database outlives the batches that still write to it.
  await using operations = await openOperations({
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    health,
    metrics,
  })
  await using database = openDatabase({
    url: env.DATABASE_URL,
    maxConnections: env.DATABASE_MAX_CONNECTIONS,
    statementTimeoutMs: env.DATABASE_STATEMENT_TIMEOUT_MS,
    log,
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
  // Without tables nothing is consumed: the scores wait in Kafka.
  await prepareDatabase(database, health, log, signal)
  const watching = watchDatabase(database, health, signal).catch((error: unknown) =>
    failed.abort(error),
  )
  if (!signal.aborted) {
    await run({
      kafka,
      schemas,
      service,
      topic: topics.churnScores,
      decoder: new Decoder('churn-score'),
      processor: createSinkProcessor(database, createSinkMetrics(metrics), health),
      sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
      signal,
      log,
      metrics,
      health,
      tracing,
      // Nobody waits for a row as they do for a score: fewer, larger transactions.
      gather: { everyMs: 200 },
    })
  }
  await watching
  await kafka.close()
  void operations
  if (failed.signal.aborted) throw failed.signal.reason
  log.info({ reason: String(signal.reason) }, 'stopped')
})
