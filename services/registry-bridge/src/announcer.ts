// How does registry-events come to say what MLflow says, with one writer at a time?
import {
  DecodeProblem,
  Decoder,
  type Encoder,
  type RegistryEvent,
  type Schemas,
} from '@churnstream/schemas'
import { services, soleWriterIdOf, topics } from '@churnstream/topology'
import {
  TransientError,
  messageOf,
  type Kafka,
  type Log,
  type TransactionalProducer,
} from '@churnstream/runtime'
import type { ArtifactFiles, DescribeFolder } from './artifacts.ts'
import { aliases, versionTags } from './contract.ts'
import {
  bytesDiffer,
  keyOf,
  reconcile,
  type Announced,
  type Change,
  type Origin,
  type Registered,
} from './core/reconcile.ts'
import { isMissing, MlflowRefused, type Mlflow } from './mlflow.ts'

export interface AnnouncerOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'encoderOf' | 'prepare'>
  readonly mlflow: Mlflow
  readonly describeFolder: DescribeFolder
  readonly namePrefix: string
  readonly log: Log
  readonly onAnnounced: (origin: Origin) => void
  /** What stands in the topic for this alias now; undefined: nothing. */
  readonly onEpoch: (key: string, epoch: number | undefined) => void
  readonly onUnreadableEvent: () => void
}

/** A version whose folder can't be announced. */
export interface Unreadable {
  readonly modelName: string
  readonly modelVersion: string
  readonly problem: string
}

/** Every method @throws TransientError, RegistryUnavailable or MlflowRefused: ask again. */
export interface Announcer {
  /** Brings the keys of one model, or all, to what MLflow says; resolves once Kafka has it. */
  reconcile(origin: Origin, modelName?: string): Promise<void>
  /** The newest event of a key, as the topic stands now. */
  newest(modelName: string, alias: string): Promise<RegistryEvent | null>
  /** Versions that an alias names and that can't be announced, as of the last reading. */
  unreadable(): ReadonlyMap<string, Unreadable>
  close(): Promise<void>
}

const topic = topics.registryEvents
const transactionalId = soleWriterIdOf(services.registryBridge.name)
/** Twice is the rule: to see a change, and to see it again as the writer. */
const maxRounds = 5

export const versionKey = (modelName: string, modelVersion: string): string =>
  `${modelName} ${modelVersion}`

/** Gone meanwhile, or registered with a source that names no place. */
const isAboutVersion = (error: unknown): boolean =>
  isMissing(error) || (error instanceof MlflowRefused && error.code === 'INVALID_PARAMETER_VALUE')

export function createAnnouncer(options: AnnouncerOptions): Announcer {
  const { kafka, schemas, mlflow, log } = options
  const decoder = new Decoder('registry-event')
  /** What the topic shows. */
  const shown = new Map<string, Announced>()
  /**
   * What we wrote and the topic does not show yet: a commit is acknowledged before its end is in the
   * topic. Nobody else can have written behind it, for fencing us would have waited for that end.
   */
  const written = new Map<string, Announced>()
  /** Digests by version and location. */
  const hashed = new Map<string, ArtifactFiles>()
  const unreadable = new Map<string, Unreadable>()
  let encoder: Encoder<'registry-event'> | undefined
  let producer: TransactionalProducer | undefined
  let position: bigint | undefined
  let seenEnd = -1n
  let closed = false

  const announcedOf = (key: string): RegistryEvent | null =>
    (written.get(key) ?? shown.get(key))?.event ?? null

  /** Another bridge may have written since, and a commit that failed may have happened. */
  async function catchUp(): Promise<void> {
    const end = (await kafka.endOffsets(topic.name))[0] ?? 0n
    // An open transaction hides what follows it; its end is a record too, and moves the end.
    if (end === seenEnd) return
    if (position !== undefined && end < position) {
      log.warn({ topic: topic.name }, 'the topic was made anew: everything is announced again')
      position = undefined
      shown.clear()
    }
    for await (const records of kafka.read(topic.name, 0, position)) {
      const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
      await schemas.prepare(decoder, values)
      for (const { key, value, offset } of records) {
        position = offset + 1n
        const event = value === null ? null : decoder.decode(value)
        const unread = event instanceof DecodeProblem
        if (unread) {
          // Announced again with a higher epoch, if the alias exists: that mends the key.
          log.error({ offset: String(offset), detail: event.detail }, 'unreadable registry event')
          options.onUnreadableEvent()
        }
        const name = key?.toString() ?? ''
        const now: Announced = { event: unread ? null : event }
        shown.set(name, now)
        options.onEpoch(name, now.event?.epoch)
        const ours = written.get(name)
        if (ours !== undefined && ours.event?.epoch === now.event?.epoch) written.delete(name)
      }
    }
    seenEnd = end
  }

  async function reconcileNow(origin: Origin, modelName: string | undefined): Promise<void> {
    if (closed) throw new TransientError('the bridge is stopping')
    for (let round = 0; round < maxRounds; round++) {
      await catchUp()
      const { registered, trouble } = await readRegistered(modelName)
      const found = reconcile(new Map([...shown, ...written]), registered, {
        origin,
        endOffset: Number(seenEnd),
        modelName,
      })
      const doubted = found.filter((change) => forgetDigest(change))
      if (found.length > 0 && doubted.length === 0) {
        if (producer === undefined) {
          // What was read before the fence may be older than what another bridge wrote meanwhile:
          // topic first, then MLflow, are read again under it.
          encoder ??= await schemas.encoderOf(topic)
          producer = await kafka.openTransactional(transactionalId, {
            partitions: [{ topic: topic.name, partition: 0 }],
          })
          seenEnd = -1n
          continue
        }
        await write(await withOrigins(found))
      } else if (doubted.length > 0) continue
      if (trouble !== undefined) throw trouble
      return
    }
    throw new TransientError(`${topic.name} and the folders changed under our hands`)
  }

  async function write(changes: readonly Change[]): Promise<void> {
    const encode = encoder as Encoder<'registry-event'>
    const writer = producer as TransactionalProducer
    try {
      await writer.commit({
        records: changes.map(({ key, event }) => ({
          topic: topic.name,
          partition: 0,
          key,
          value: event === null ? null : encode.encode(event),
        })),
      })
    } catch (error) {
      // Fenced, or of unknown outcome: another producer, and the topic is read again.
      producer = undefined
      written.clear()
      await writer.close()
      throw error
    }
    for (const { key, event } of changes) {
      written.set(key, { event })
      options.onEpoch(key, event?.epoch)
      const origin = (event?.origin ?? 'reconcile') as Origin
      options.onAnnounced(origin)
      const { modelVersion, epoch } = event ?? {}
      log.info({ key, modelVersion, epoch, origin, removed: event === null }, 'announced')
    }
  }

  /**
   * The same version with other bytes: hashed again before that is said, or two bridges that hashed
   * at different times would contradict each other for ever. True when there was something to forget.
   */
  function forgetDigest(change: Change): boolean {
    const { event } = change
    if (event === null || !bytesDiffer(announcedOf(change.key), change)) return false
    const id = `${versionKey(event.modelName, event.modelVersion)} ${event.artifactLocation}`
    if (fresh.has(id)) return false
    return hashed.delete(id)
  }
  /** Hashed within this reconciliation. */
  const fresh = new Set<string>()

  /** Whichever bridge is first to see a rollback announces it, so MLflow's mark says what it was. */
  async function withOrigins(changes: readonly Change[]): Promise<Change[]> {
    const found: Change[] = []
    for (const change of changes) {
      const before = announcedOf(change.key)
      const { event } = change
      const moved = before && event && before.modelVersion !== event.modelVersion
      if (!moved || event.alias !== aliases.champion) {
        found.push(change)
        continue
      }
      const left = await mlflow.version(before.modelName, before.modelVersion)
      const automatic = / automatic: /.test(left?.tags[versionTags.rolledBack] ?? '')
      found.push(automatic ? { ...change, event: { ...event, origin: 'rollback' } } : change)
    }
    return found
  }

  /** One folder's trouble keeps what its alias named before and does not hold up the others. */
  async function readRegistered(
    modelName: string | undefined,
  ): Promise<{ registered: Registered[]; trouble: Error | undefined }> {
    const models =
      modelName === undefined
        ? await mlflow.models(options.namePrefix)
        : [(await mlflow.model(modelName)) ?? { name: modelName, aliases: {} }]
    const registered: Registered[] = []
    const named = new Set<string>()
    let trouble: Error | undefined
    for (const { name, aliases: versions } of models) {
      for (const [alias, modelVersion] of Object.entries(versions)) {
        named.add(versionKey(name, modelVersion))
        try {
          const folder = await readFolder(name, modelVersion)
          if (folder !== undefined) {
            registered.push({ modelName: name, alias, modelVersion, ...folder })
            continue
          }
        } catch (error) {
          if (!(error instanceof TransientError)) throw error
          trouble ??= error
        }
        // An unusable version must not stop scoring.
        const before = announcedOf(keyOf({ modelName: name, alias }))
        if (before) registered.push(before)
      }
    }
    for (const [key, one] of unreadable) {
      const asked = modelName === undefined || modelName === one.modelName
      if (asked && !named.has(key)) unreadable.delete(key)
    }
    if (modelName === undefined) {
      for (const id of hashed.keys()) {
        if (!named.has(id.split(' ', 2).join(' '))) hashed.delete(id)
      }
    }
    return { registered, trouble }
  }

  async function readFolder(
    modelName: string,
    modelVersion: string,
  ): Promise<Pick<Registered, 'artifactLocation' | 'files'> | undefined> {
    const key = versionKey(modelName, modelVersion)
    const refuse = (problem: string): undefined => {
      if (!unreadable.has(key)) {
        log.error({ modelName, modelVersion, problem }, 'version not announced')
      }
      unreadable.set(key, { modelName, modelVersion, problem })
      return undefined
    }
    let artifactLocation: string
    try {
      artifactLocation = await mlflow.artifactLocation(modelName, modelVersion)
    } catch (error) {
      if (isAboutVersion(error)) return refuse(messageOf(error))
      throw error
    }
    const id = `${key} ${artifactLocation}`
    const known = hashed.get(id)
    const files = known ?? (await options.describeFolder(artifactLocation))
    if ('problem' in files) return refuse(files.problem)
    if (known === undefined) {
      hashed.set(id, files)
      fresh.add(id)
    }
    unreadable.delete(key)
    return { artifactLocation, files }
  }

  return {
    async reconcile(origin, modelName) {
      fresh.clear()
      await reconcileNow(origin, modelName)
    },
    async newest(modelName, alias) {
      await catchUp()
      return announcedOf(keyOf({ modelName, alias }))
    },
    unreadable: () => unreadable,
    async close() {
      closed = true
      await producer?.close()
      producer = undefined
    },
  }
}
