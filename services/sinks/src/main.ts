// The sinks: churn-scores in, rows of PostgreSQL out.
import { loadConfig, openService, run, runMain } from '@churnstream/runtime'
import { Decoder } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { config } from './config.ts'
import { openDatabase } from './database.ts'
import { createSinkMetrics } from './metrics.ts'
import { createSinkProcessor } from './processor.ts'
import { prepareDatabase, watchDatabase } from './readiness.ts'

await runMain(async () => {
  const env = loadConfig(config, process.env)
  await using service = await openService(services.sinks.name, env)
  const { health, log, metrics } = service
  const failed = new AbortController()
  const signal = AbortSignal.any([service.signal, failed.signal])

  await using database = openDatabase({
    url: env.DATABASE_URL,
    maxConnections: env.DATABASE_MAX_CONNECTIONS,
    statementTimeoutMs: env.DATABASE_STATEMENT_TIMEOUT_MS,
    log,
  })
  // Without tables nothing is consumed: the scores wait in Kafka.
  await prepareDatabase(database, health, log, signal)
  const watching = watchDatabase(database, health, signal).catch((error: unknown) =>
    failed.abort(error),
  )
  if (!signal.aborted) {
    await run({
      ...service,
      signal,
      service: services.sinks,
      topic: topics.churnScores,
      decoder: new Decoder('churn-score'),
      processor: createSinkProcessor(database, createSinkMetrics(metrics), health),
    })
  }
  await watching
  if (failed.signal.aborted) throw failed.signal.reason
})
