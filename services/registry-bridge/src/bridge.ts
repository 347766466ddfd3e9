// How does registry-events come to say what MLflow says?
import {
  DecodeProblem,
  Decoder,
  Encoder,
  RegistryUnavailable,
  type Schemas,
} from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import {
  TransientError,
  messageOf,
  type Health,
  type Kafka,
  type Log,
  type TransactionalProducer,
} from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import type { ArtifactFiles, DescribeFolder } from './artifacts.ts'
import { reconcile, type Announced, type Registered } from './core/reconcile.ts'
import type { Mlflow } from './mlflow.ts'

export interface BridgeOptions {
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly mlflow: Mlflow
  readonly describeFolder: DescribeFolder
  readonly namePrefix: string
  readonly pollIntervalMs: number
  readonly signal: AbortSignal
  readonly log: Log
  readonly health: Health
  readonly onAnnounced?: (origin: string) => void
}

const topic = topics.registryEvents
const transactionalId = `churnstream.${services.registryBridge.name}`
const retryMs = 1_000
const part = 'registry'

/**
 * One writer: a transactional id that fences an older bridge, and only then the topic is read, so
 * epochs can't be given out twice. A poll never fails the service: what can't be reached is asked
 * for again, and what the topic says stays.
 */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const { kafka, schemas, signal, log, health } = options
  health.waitFor(part, 'MLflow was not read yet')
  const hashed = new Map<string, ArtifactFiles>()
  const refused = new Set<string>()
  let encoder: Encoder<'registry-event'> | undefined
  let producer: TransactionalProducer | undefined
  let announced = new Map<string, Announced>()

  while (!signal.aborted) {
    let pause = options.pollIntervalMs
    try {
      encoder ??= new Encoder(
        'registry-event',
        await schemas.register('registry-event', topic.name),
      )
      if (producer === undefined) {
        producer = await kafka.openTransactional(transactionalId)
        announced = await readAnnounced()
      }
      await poll(encoder, producer)
      health.ready(part)
    } catch (error) {
      if (!(error instanceof TransientError || error instanceof RegistryUnavailable)) throw error
      log.warn({ reason: messageOf(error) }, 'the registry will be read again')
      health.waitFor(part, messageOf(error))
      await producer?.close()
      producer = undefined
      pause = Math.min(retryMs, pause)
    }
    await delay(pause, undefined, { signal }).catch(() => undefined)
  }
  await producer?.close()

  async function readAnnounced(): Promise<Map<string, Announced>> {
    const decoder = new Decoder('registry-event')
    const found = new Map<string, Announced>()
    for await (const records of kafka.read(topic.name, 0)) {
      await schemas.prepare(
        decoder,
        records.flatMap(({ value }) => (value === null ? [] : [value])),
      )
      for (const { key, value, offset } of records) {
        const name = key?.toString() ?? ''
        if (value === null) {
          found.set(name, { event: null, epoch: found.get(name)?.epoch ?? 0 })
          continue
        }
        const event = decoder.decode(value)
        if (event instanceof DecodeProblem) {
          throw new Error(`${topic.name} offset ${offset} is no registry event: ${event.detail}`)
        }
        found.set(name, { event, epoch: event.epoch })
      }
    }
    return found
  }

  async function poll(
    encode: Encoder<'registry-event'>,
    writer: TransactionalProducer,
  ): Promise<void> {
    const registered = await readRegistered()
    const changes = reconcile(announced, registered, 'reconcile')
    if (changes.length === 0) return
    await writer.commit({
      records: changes.map(({ key, event }) => ({
        topic: topic.name,
        partition: 0,
        key,
        value: event === null ? null : encode.encode(event),
      })),
    })
    for (const { key, event } of changes) {
      const epoch = event?.epoch ?? announced.get(key)?.epoch ?? 0
      announced.set(key, { event, epoch })
      options.onAnnounced?.('reconcile')
      log.info(
        { key, modelVersion: event?.modelVersion, epoch, removed: event === null },
        'announced',
      )
    }
  }

  async function readRegistered(): Promise<Registered[]> {
    const registered: Registered[] = []
    const named = (await options.mlflow.models(options.namePrefix)).flatMap(({ name, aliases }) =>
      Object.entries(aliases).map(([alias, version]) => ({
        modelName: name,
        alias,
        modelVersion: version,
      })),
    )
    for (const { modelName, alias, modelVersion } of named) {
      const artifactLocation = await options.mlflow.artifactLocation(modelName, modelVersion)
      const id = `${modelName} ${modelVersion} ${artifactLocation}`
      let files = hashed.get(id)
      if (files === undefined) {
        const described = await options.describeFolder(artifactLocation)
        if ('problem' in described) {
          if (!refused.has(id))
            log.error({ modelName, modelVersion, ...described }, 'version not announced')
          refused.add(id)
          // What the alias named before stays announced: an unusable version must not stop scoring.
          const before = announced.get(`${modelName}@${alias}`)?.event
          if (before) registered.push(before)
          continue
        }
        files = described
        hashed.set(id, files)
      }
      registered.push({ modelName, alias, modelVersion, artifactLocation, files })
    }
    return registered
  }
}
