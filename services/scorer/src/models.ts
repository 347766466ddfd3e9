// Which model scores now, and how does the next one take its place?
import {
  DecodeProblem,
  Decoder,
  type FeatureVector,
  type RegistryEvent,
  type Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import {
  TransientError,
  messageOf,
  type ConsumedRecord,
  type Health,
  type Kafka,
  type Log,
} from '@churnstream/runtime'
import { ModelRefused, type ArtifactStore } from './artifact.ts'
import { goldenRows, largestDifference, parseGolden, probabilityTolerance } from './core/golden.ts'
import { Projection, ProjectionProblem } from './core/projection.ts'
import type { Engine } from './engine.ts'

export interface LoadedModel {
  readonly name: string
  readonly version: string
  readonly epoch: number
  /** Probability of churn for each vector, in order. */
  score(vectors: readonly FeatureVector[]): Promise<Float32Array>
}

/** What a model's folder must hold to serve the stream. */
export const artifactFiles = {
  onnx: 'model.onnx',
  columns: 'columns.json',
  golden: 'golden.json',
} as const

export interface Models {
  /** Resolves with the first model that serves; rejects when following the registry can't go on. */
  readonly first: Promise<void>
  /** Runs with the model that serves now; it stays loaded until the run ends. */
  withCurrent<T>(use: (model: LoadedModel) => Promise<T>): Promise<T>
  stop(): Promise<void>
}

export interface ModelsOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly artifacts: ArtifactStore
  readonly engine: Engine
  readonly modelName: string
  readonly alias: string
  readonly log: Log
  readonly health: Health
  readonly onSwap: (model: LoadedModel, tookMs: number) => void
  readonly onRefused: (event: RegistryEvent, reason: string) => void
}

interface Slot {
  readonly model: LoadedModel
  readonly engineModel: number
  users: number
  replaced: boolean
}

const retryMs = 1_000
const part = 'model'

/**
 * Follows registry-events from the start. The newest event of our key is the truth (level, not
 * edge): while one version loads, later events only replace the next one to load. A version that is
 * refused changes nothing that serves.
 */
export function createModels(options: ModelsOptions): Models {
  const { kafka, schemas, artifacts, engine, log, health } = options
  const key = `${options.modelName}@${options.alias}`
  const decoder = new Decoder('registry-event')
  const first = Promise.withResolvers<void>()
  first.promise.catch(() => undefined)
  let current: Slot | undefined
  let wanted: RegistryEvent | undefined
  let settled = -1
  let working: Promise<void> = Promise.resolve()
  let stopped = false

  health.waitFor(part, `no version of ${key} has been announced on ${topics.registryEvents.name}`)
  log.info({ key }, 'waiting for a model')
  const follower = kafka.follow(topics.registryEvents.name, (records) => {
    const ours = records.filter((record) => record.key?.toString() === key)
    if (ours.length > 0) working = working.then(() => take(ours)).catch(failed)
  })
  follower.finished.catch(failed)

  function failed(error: unknown): void {
    first.reject(error)
    health.fail(`following the registry ended: ${messageOf(error)}`)
    log.error({ err: error }, 'following the registry ended')
  }

  async function take(records: readonly ConsumedRecord[]): Promise<void> {
    await patiently(() =>
      schemas.prepare(
        decoder,
        records.map((record) => record.value),
      ),
    )
    for (const record of records) {
      if (record.value === null) {
        log.warn({ key }, 'the alias was removed; the loaded version goes on serving')
        continue
      }
      const event = decoder.decode(record.value)
      if (event instanceof DecodeProblem) {
        log.error(
          { offset: String(record.offset), detail: event.detail },
          'unreadable registry event',
        )
        continue
      }
      if (event.epoch > (wanted?.epoch ?? -1)) wanted = event
    }
    if (wanted !== undefined && wanted.epoch > settled) await settle(wanted)
  }

  async function settle(event: RegistryEvent): Promise<void> {
    settled = event.epoch
    const startedAt = performance.now()
    const { modelName, modelVersion, epoch } = event
    try {
      const loaded = await patiently(() => load(event))
      if (loaded === undefined) return
      const replaced = current
      current = loaded
      health.ready(part)
      const tookMs = Math.round(performance.now() - startedAt)
      log.info({ modelName, modelVersion, epoch, tookMs }, 'model serves')
      options.onSwap(loaded.model, tookMs)
      first.resolve()
      if (replaced) retire(replaced)
    } catch (error) {
      if (!(error instanceof ModelRefused)) throw error
      log.error(
        { modelName, modelVersion, epoch, reason: error.reason, detail: error.message },
        'model refused',
      )
      options.onRefused(event, error.reason)
      if (current === undefined) {
        health.waitFor(part, `version ${modelVersion} of ${key} was refused: ${error.message}`)
      }
    }
  }

  async function load(event: RegistryEvent): Promise<Slot> {
    const [onnx, columnsText, goldenText] = await Promise.all([
      artifacts.fetch(event, artifactFiles.onnx),
      artifacts.fetch(event, artifactFiles.columns).then(toText),
      artifacts.fetch(event, artifactFiles.golden).then(toText),
    ])
    const columns = parseColumns(columnsText)
    const projection = Projection.of(columns)
    if (projection instanceof ProjectionProblem) {
      throw new ModelRefused('columns-not-in-catalogue', projection.detail)
    }
    const golden = refuseIfThrown('golden-unreadable', () => parseGolden(goldenText, columns))
    const engineModel = await engine.load(onnx).catch((error: unknown) => {
      throw new ModelRefused('onnx-unreadable', messageOf(error), { cause: error })
    })
    const { width } = projection
    try {
      const scores = await engine
        .score(engineModel, goldenRows(golden) as Float32Array<ArrayBuffer>, width)
        .catch((error: unknown) => {
          throw new ModelRefused('golden-failed', messageOf(error), { cause: error })
        })
      const difference = largestDifference(golden, scores)
      if (!(difference <= probabilityTolerance)) {
        throw new ModelRefused(
          'golden-differs',
          `the golden rows differ by ${difference}, allowed is ${probabilityTolerance}`,
        )
      }
    } catch (error) {
      await engine.release(engineModel)
      throw error
    }
    return {
      engineModel,
      users: 0,
      replaced: false,
      model: {
        name: event.modelName,
        version: event.modelVersion,
        epoch: event.epoch,
        score: (vectors) =>
          engine.score(engineModel, projection.rows(vectors) as Float32Array<ArrayBuffer>, width),
      },
    }
  }

  /** Repeats while the world is away, unless a newer event makes the work pointless. */
  async function patiently<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!stopped) {
      try {
        return await work()
      } catch (error) {
        const transient =
          error instanceof TransientError || (error as Error).name === 'RegistryUnavailable'
        if (!transient) throw error
        log.warn({ key, reason: messageOf(error) }, 'the model will be fetched again')
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      }
    }
    return undefined
  }

  function retire(slot: Slot): void {
    slot.replaced = true
    if (slot.users === 0) {
      engine
        .release(slot.engineModel)
        .catch((error: unknown) => log.warn({ err: error }, 'not released'))
    }
  }

  return {
    first: first.promise,
    async withCurrent(use) {
      const slot = current
      if (slot === undefined) throw new Error('no model is loaded: wait for first')
      slot.users++
      try {
        return await use(slot.model)
      } finally {
        slot.users--
        if (slot.replaced && slot.users === 0) retire(slot)
      }
    },
    async stop() {
      stopped = true
      await follower.stop()
      await working
    },
  }
}

function parseColumns(text: string): string[] {
  const columns: unknown = refuseIfThrown('columns-unreadable', () => JSON.parse(text))
  if (Array.isArray(columns) && columns.length > 0 && columns.every((c) => typeof c === 'string')) {
    return columns as string[]
  }
  throw new ModelRefused('columns-unreadable', `${artifactFiles.columns} is not a list of names`)
}

function refuseIfThrown<T>(reason: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new ModelRefused(reason, messageOf(error), { cause: error })
  }
}

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
