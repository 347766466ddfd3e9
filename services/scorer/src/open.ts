// What does the scorer do with its topic, and with which models?
import {
  messageOf,
  untilUp,
  type Health,
  type Kafka,
  type Log,
  type Metrics,
  type Stage,
} from '@churnstream/runtime'
import { createObjectClient } from '@churnstream/runtime/s3'
import type { Schemas } from '@churnstream/schemas'
import { VectorDecoder, type VectorView } from '@churnstream/schemas/model'
import { services, topics } from '@churnstream/topology'
import manifest from '../package.json' with { type: 'json' }
import { createS3Artifacts } from './artifact.ts'
import type { ScorerEnv } from './config.ts'
import { createEngine } from './engine.ts'
import { createGates } from './gates.ts'
import { countModels, createScorerMetrics } from './metrics.ts'
import { createModels } from './models.ts'
import { createScoreEncoders, createScoreProcessor } from './processor.ts'
import { createReportEncoder, createReports } from './reports.ts'
import { createTrial } from './trial.ts'
import { createVersions } from './versions.ts'

export interface ScorerOptions {
  readonly env: ScorerEnv
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly metrics: Metrics
  readonly health: Health
  readonly log: Log
  readonly signal: AbortSignal
}

export interface OpenScorer {
  readonly stage: Stage<VectorView>
  /** Resolves once a champion serves, or when it is stopped: without one the vectors wait in Kafka. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** Once the registry knows the schemas; undefined: stopped before. */
export async function openScorer(options: ScorerOptions): Promise<OpenScorer | undefined> {
  const { env, kafka, schemas, health, log, signal } = options
  const scorer = createScorerMetrics(options.metrics)
  const encoders = await untilUp(
    'registry',
    'registering the schemas',
    async () => ({
      ...(await createScoreEncoders(schemas)),
      reports: await createReportEncoder(schemas),
    }),
    options,
  )
  if (encoders === undefined) return undefined
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
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  return {
    stage: {
      service: services.scorer,
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
    },
    ready: Promise.race([models.first, stopped]),
    async close() {
      await models.stop()
      await reports.stop()
      await Promise.all([engines.serving.close(), engines.shadow.close()])
    },
  }
}
