// The scorer: feature-vectors in, churn-scores out, with the model that MLflow's alias names.
import {
  Health,
  createKafkajsKafka,
  createLog,
  createMetrics,
  loadConfig,
  openOperations,
  run,
  runMain,
  shutdownSignal,
} from '@churnstream/runtime'
import { Schemas } from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { createS3Artifacts } from './artifact.ts'
import { config } from './config.ts'
import { createEngine } from './engine.ts'
import { createScorerMetrics } from './metrics.ts'
import { createModels } from './models.ts'
import { createScoreEncoder, createScoreProcessor } from './processor.ts'

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
  const schemas = new Schemas({ url: env.SCHEMA_REGISTRY_URL })
  const kafka = createKafkajsKafka({
    brokers: env.KAFKA_BOOTSTRAP_SERVERS,
    clientId: service.name,
    log,
  })
  const encoder = await createScoreEncoder(schemas)
  const engine = createEngine()
  const models = createModels({
    kafka,
    schemas,
    engine,
    artifacts: createS3Artifacts(env.S3_ENDPOINT),
    modelName: env.MODEL_NAME,
    alias: env.MODEL_ALIAS,
    log,
    health,
    onSwap(model, tookMs) {
      scorer.modelEpoch.set(model.epoch)
      scorer.swapSeconds.observe(tookMs / 1000)
    },
    onRefused: (_event, reason) => scorer.refused.inc({ reason }),
  })
  // Without a model nothing is consumed: the vectors wait in Kafka.
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  await Promise.race([models.first, stopped])
  if (!signal.aborted) {
    const processor = createScoreProcessor(models, encoder, (timestampMs, version) => {
      scorer.latency.observe(Math.max(0, Date.now() - timestampMs) / 1000)
      scorer.scores.inc({ version })
    })
    await run({
      kafka,
      schemas,
      service,
      topic: topics.featureVectors,
      processor,
      signal,
      log,
      metrics,
      health,
    })
  }
  await models.stop()
  await engine.close()
  await kafka.close()
  void operations
  log.info({ reason: String(signal.reason) }, 'stopped')
})
