// The scorer: feature-vectors in, churn-scores out, with the models that MLflow's aliases name.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  loadConfig,
  messageOf,
  openOperations,
  openTracing,
  run,
  runMain,
  shutdownSignal,
  toKafkaConnection,
  toRegistryConnection,
  untilUp,
} from '@churnstream/runtime'
import { createObjectClient } from '@churnstream/runtime/s3'
import { Schemas } from '@churnstream/schemas'
import { VectorDecoder } from '@churnstream/schemas/model'
import { services, topics } from '@churnstream/topology'
import manifest from '../package.json' with { type: 'json' }
import { createS3Artifacts } from './artifact.ts'
import { config } from './config.ts'
import { createEngine } from './engine.ts'
import { createGates } from './gates.ts'
import { countModels, createScorerMetrics } from './metrics.ts'
import { createModels } from './models.ts'
import { createScoreEncoders, createScoreProcessor } from './processor.ts'
import { createReportEncoder, createReports } from './reports.ts'
import { createTrial } from './trial.ts'
import { createVersions } from './versions.ts'

const service = services.scorer

await runMain(async () => {
  const env = loadConfig(config, process.env)
  const log = createLog(service.name, env.LOG_LEVEL)
  const signal = shutdownSignal()
  const metrics = createMetrics(service.name)
  const scorer = createScorerMetrics(metrics)
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
  const encoders = await untilUp(
    'registry',
    'registering the schemas',
    async () => ({
      ...(await createScoreEncoders(schemas)),
      reports: await createReportEncoder(schemas),
    }),
    { health, log, signal },
  )
  if (encoders === undefined) return
  const reports = createReports({
    kafka,
    encoder: encoders.reports,
    replica: env.REPLICA,
    scorerVersion: manifest.version,
    intervalMs: env.REPORT_INTERVAL_MS,
    shadowFigures: (modelName) => models.shadowFigures(modelName),
    log,
  })
  // A thread that ends takes its models with it: the next process loads them again.
  const onCrash = (error: Error): void => {
    log.fatal({ reason: messageOf(error) }, 'a scoring thread crashed')
    process.exit(1)
  }
  const engines = {
    serving: createEngine('serving', onCrash),
    shadow: createEngine('shadow', onCrash),
  }
  const versions = createVersions({
    admit: createGates({
      artifacts: createS3Artifacts({
        client: createObjectClient(env.S3_ENDPOINT),
        maxFileBytes: env.MODEL_MAX_FILE_BYTES,
      }),
      tryModel: createTrial(env.MODEL_TRIAL_TIMEOUT_MS),
      settings: {
        maxMicrosecondsPerRow: env.MODEL_MAX_MICROSECONDS_PER_ROW,
        maxMemoryBytes: env.MODEL_MAX_MEMORY_BYTES,
      },
    }),
    engines,
    log,
  })
  const models = createModels({
    kafka,
    schemas,
    versions,
    reports,
    namePrefix: env.MODEL_NAME_PREFIX,
    guard: {
      windowMs: env.GUARD_WINDOW_MS,
      minRows: env.GUARD_MIN_ROWS,
      maxErrorShare: env.GUARD_MAX_ERROR_SHARE,
      maxMicrosecondsPerRow: env.MODEL_MAX_MICROSECONDS_PER_ROW,
      maxScoreShift: env.GUARD_MAX_SCORE_SHIFT,
    },
    log,
    health,
    ...countModels(scorer),
  })
  // Without a model nothing is consumed: the vectors wait in Kafka.
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  await Promise.race([models.first, stopped])
  if (!signal.aborted) {
    await run({
      kafka,
      schemas,
      service,
      topic: topics.featureVectors,
      decoder: new VectorDecoder(),
      processor: createScoreProcessor({
        models,
        encoders,
        shadowEngine: engines.shadow,
        shadow: { sample: env.SHADOW_SAMPLE, waitMs: env.SHADOW_WAIT_MS },
        log,
        onScored(model, version, scores) {
          scorer.scores.inc({ model, version }, scores.length)
          for (const score of scores) if (Number.isFinite(score)) scorer.score.add(score)
        },
      }),
      sessionTimeoutMs: env.KAFKA_SESSION_TIMEOUT_MS,
      signal,
      log,
      metrics,
      health,
      tracing,
    })
  }
  await models.stop()
  await reports.stop()
  await Promise.all([engines.serving.close(), engines.shadow.close()])
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
