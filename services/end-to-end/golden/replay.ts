// What do features and scorer make of a recorded player-activity?
import { createFeatureProcessor } from '@churnstream/features'
import {
  Health,
  createLog,
  createMetrics,
  run,
  type ConsumedRecord,
  type Kafka,
  type RunOptions,
  type Stage,
} from '@churnstream/runtime'
import { MemoryCluster, readAll, until } from '@churnstream/runtime/testing'
import {
  Decoder,
  Encoder,
  type PlayerActivity,
  type PrivacyRequest,
  type RecordName,
  type Schemas,
} from '@churnstream/schemas'
import { VectorDecoder, type VectorView } from '@churnstream/schemas/model'
import { fixedSchemas } from '@churnstream/schemas/testing'
import {
  createEngine,
  createGates,
  createModels,
  createReports,
  createScoreProcessor,
  createTrial,
  createVersions,
} from '@churnstream/scorer'
import { clusterTopics, deadLetterTopic, services, topics } from '@churnstream/topology'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Recording } from './recording.ts'

const replayedTopics = [
  topics.featureVectors.name,
  topics.playerOutcomes.name,
  topics.playerState.name,
  topics.churnScores.name,
  deadLetterTopic(topics.playerActivity),
]

/** Records by topic and partition; of the state, the newest of each player by name. */
export type Replayed = ReadonlyMap<string, readonly (readonly ConsumedRecord[])[]>

const log = createLog('golden', 'silent')
const modelName = 'churn-default'
const modelFiles = ['MLmodel', 'model.onnx', 'columns.json', 'golden.json']

/** Ids of the schemas that are written; the recording has its own. */
const written = {
  101: 'feature-vector',
  102: 'player-outcome',
  103: 'player-state',
  104: 'churn-score',
  105: 'registry-event',
  106: 'load-report',
  107: 'privacy-confirmation',
} as const

function encoderOf<N extends RecordName>(name: N): Encoder<N> {
  const id = Object.entries(written).find(([, known]) => known === name)?.[0]
  return new Encoder(name, Number(id))
}

/** Real loop, processors, gates and runtime over the port in memory. */
export async function replay(
  recording: Recording,
  modelFolder: string,
  options: { readonly recordsPerSend: number; readonly isFused?: boolean },
): Promise<Replayed> {
  const kafka = new MemoryCluster().open()
  await kafka.ensureTopics(clusterTopics())
  const { schemaId, schema } = recording
  const schemas = fixedSchemas({ ...written, [schemaId]: { text: schema } }) as Schemas
  await announce(kafka, modelFolder)
  const stopping = new AbortController()
  const { signal } = stopping
  const common = { kafka, schemas, commitIntervalMs: 40, signal, log, health: new Health() }
  const features: Stage<PlayerActivity | PrivacyRequest> = {
    service: services.features,
    topic: topics.playerActivity,
    decoder: new Decoder('player-activity'),
    processor: createFeatureProcessor(
      {
        vector: encoderOf('feature-vector'),
        outcome: encoderOf('player-outcome'),
        state: encoderOf('player-state'),
        confirmation: encoderOf('privacy-confirmation'),
      },
      schemas,
    ),
  }
  const running = Promise.all(
    options.isFused === true
      ? [score(common, modelFolder, features)]
      : [
          run({ ...common, ...features, metrics: createMetrics('features') }),
          score(common, modelFolder),
        ],
  )
  const failed = running.then(() => undefined)
  failed.catch(() => undefined)

  const producer = await kafka.openProducer()
  const { records } = recording
  for (let from = 0; from < records.length; from += options.recordsPerSend) {
    await producer.send(records.slice(from, from + options.recordsPerSend))
    await turn()
  }
  const isDone = (group: string, topic: string) => () => caughtUp(kafka, group, topic)
  for (const [{ name: group }, topic] of [
    [services.features, topics.playerActivity],
    [services.scorer, topics.featureVectors],
  ] as const) {
    await Promise.race([until(`${group} has done all`, isDone(group, topic.name)), failed])
  }
  stopping.abort()
  await running
  const replayed = new Map<string, ConsumedRecord[][]>()
  for (const topic of replayedTopics) {
    const { length } = await kafka.endOffsets(topic)
    const logs = await Promise.all(
      Array.from({ length }, (_, partition) => readAll(kafka, topic, partition)),
    )
    // How often state is written in between depends on the batches, what it comes to does not.
    replayed.set(topic, topic === topics.playerState.name ? logs.map(newestByKey) : logs)
  }
  return replayed
}

function newestByKey(records: readonly ConsumedRecord[]): ConsumedRecord[] {
  const newest = new Map(records.map((record) => [String(record.key), record]))
  return [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record)
}

type Common = Pick<
  RunOptions<unknown>,
  'kafka' | 'commitIntervalMs' | 'signal' | 'log' | 'health'
> & { readonly schemas: Schemas }

/** @param first whose vectors are scored where they are written */
async function score<V>(common: Common, modelFolder: string, first?: Stage<V>): Promise<void> {
  const { kafka, schemas, health } = common
  const onCrash = (error: Error): never => {
    throw error
  }
  const engines = {
    serving: createEngine('serving', onCrash),
    shadow: createEngine('shadow', onCrash),
  }
  const reports = createReports({
    kafka,
    encoder: encoderOf('load-report'),
    replica: 'golden',
    scorerVersion: 'golden',
    intervalMs: 60_000,
    shadowFigures: () => [],
    log,
  })
  const models = createModels({
    kafka,
    schemas,
    versions: createVersions({
      admit: createGates({
        artifacts: { fetch: async (_event, path) => readFileSync(join(modelFolder, path)) },
        tryModel: createTrial(30_000),
        settings: { maxMicrosecondsPerRow: 1e6, maxMemoryBytes: 1e9 },
      }),
      engines,
      log,
    }),
    reports,
    namePrefix: 'churn-',
    guard: {
      windowMs: 0,
      minRows: 1,
      maxErrorShare: 1,
      maxMicrosecondsPerRow: 1e6,
      maxScoreShift: 1,
    },
    log,
    health,
    onSwap: () => undefined,
    onRemoved: () => undefined,
    onRefused(key, reason) {
      throw new Error(`the golden model is refused as ${key}: ${reason}`)
    },
  })
  try {
    await models.first
    const scores = encoderOf('churn-score')
    const scorer: Stage<VectorView> = {
      service: services.scorer,
      topic: topics.featureVectors,
      decoder: new VectorDecoder(),
      processor: createScoreProcessor({
        models,
        encoders: { scores, shadows: scores },
        shadowEngine: engines.shadow,
        shadow: { sample: 0, waitMs: 0 },
        log,
        onScored: () => undefined,
      }),
    }
    const metrics = createMetrics('scorer')
    await (first === undefined
      ? run({ ...common, ...scorer, metrics })
      : run({ ...common, ...first, followedBy: scorer, metrics }))
  } finally {
    await models.stop()
    await reports.stop()
    await Promise.all([engines.serving.close(), engines.shadow.close()])
  }
}

async function announce(kafka: Kafka, modelFolder: string): Promise<void> {
  const files = modelFiles.map((path) => {
    const bytes = readFileSync(join(modelFolder, path))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return { path, sha256, sizeBytes: bytes.length }
  })
  const value = encoderOf('registry-event').encode({
    modelName,
    alias: 'champion',
    modelVersion: '1',
    artifactLocation: 's3://golden/model',
    files,
    epoch: 1,
    origin: 'reconcile',
  })
  const producer = await kafka.openProducer()
  const key = `${modelName}@champion`
  await producer.send([{ topic: topics.registryEvents.name, partition: 0, key, value }])
}

async function caughtUp(kafka: Kafka, group: string, topic: string): Promise<boolean> {
  for (const [partition, end] of (await kafka.endOffsets(topic)).entries()) {
    if ((await kafka.committedOffset(group, topic, partition)) < end) return false
  }
  return true
}
