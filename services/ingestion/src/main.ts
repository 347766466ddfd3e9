// The ingestion service: activity over HTTP in, player-activity out, and the clock of every partition.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  listen,
  loadConfig,
  openTracing,
  runMain,
  shutdownSignal,
  toKafkaConnection,
  toRegistryConnection,
  untilUp,
} from '@churnstream/runtime'
import { Schemas, type Encoder } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { openApiKeys } from './api-keys.ts'
import { startClock } from './clock.ts'
import { config } from './config.ts'
import { Allowance } from './core/allowance.ts'
import { createIngestionMetrics } from './metrics.ts'
import { openPseudonyms } from './pseudonym.ts'
import { createServer } from './server.ts'
import { createWriter } from './writer.ts'

const service = services.ingestion

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const metrics = createMetrics(service.name)
  const ingestion = createIngestionMetrics(metrics)
  const health = new Health()
  const failed = new AbortController()
  const signal = AbortSignal.any([shutdownSignal(), failed.signal])
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  const onFatal = (error: unknown) => {
    log.error({ err: error }, 'ending')
    failed.abort(error)
  }

  // A caller waits for the answer, so an id that raced the registry is not waited for as long.
  const schemas = new Schemas({
    ...toRegistryConnection(env),
    unknownIdBudgetMs: 1_000,
    unknownIdRememberedMs: 1_000,
  })
  const kafka = createKafkajsKafka({
    ...toKafkaConnection(env),
    clientId: service.name,
    log,
  })
  await using tracing = await openTracing({
    service: service.name,
    endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    log,
  })
  const { API_KEYS_FILE: file, PLAYER_ID_KEY_FILE: playerKeyFile } = env
  using keys =
    file === undefined ? undefined : openApiKeys({ file, reloadMs: env.API_KEYS_RELOAD_MS, log })
  let encoder: Encoder<'player-activity'> | undefined
  // Opened in order, closed in reverse: requests end first, then the queue, then the producer.
  await using writer = createWriter({
    openProducer: () => kafka.openProducer(),
    maxQueued: env.QUEUE_MAX_EVENTS,
    health,
    log,
    metrics: ingestion,
    onFatal,
  })
  await using app = createServer({
    writer,
    encoder: () => encoder,
    schemas,
    keys,
    toPseudonym: playerKeyFile === undefined ? undefined : openPseudonyms(playerKeyFile),
    bounds: {
      maxAgeDays: env.EVENT_MAX_AGE_DAYS,
      maxAheadMinutes: env.EVENT_MAX_AHEAD_MINUTES,
    },
    allowance: new Allowance({
      eventsPerSecond: env.PLAYER_EVENTS_PER_SECOND,
      burstEvents: env.PLAYER_BURST_EVENTS,
    }),
    now: Date.now,
    traceShare: env.TRACE_SAMPLE_SHARE,
    tracing,
    health,
    log,
    metrics,
    ingestion,
    onFatal,
  })
  await listen(app, env.HTTP_HOST, env.HTTP_PORT)
  log.info({ address: app.server.address() }, 'started')
  encoder = await untilUp(
    'registry',
    'registering the schemas',
    () => schemas.encoderOf(topics.playerActivity),
    { health, log, signal },
  )
  if (encoder) {
    await using clock = startClock({
      intervalMs: env.CLOCK_INTERVAL_MS,
      writer,
      encoder,
      now: Date.now,
      metrics: ingestion,
      log,
      onFatal,
    })
    await stopped
    void clock
  }
  if (failed.signal.aborted) throw failed.signal.reason
  log.info({ reason: String(signal.reason) }, 'stopping')
})
