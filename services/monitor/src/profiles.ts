// What did the data look like when a version was trained? Its profile, by registry-events and S3.
import {
  DecodeProblem,
  Decoder,
  type ProfileReference,
  type RegistryEvent,
  type Schemas,
} from '@churnstream/schemas'
import {
  messageOf,
  parseS3Location,
  type ConsumedRecord,
  type Kafka,
  type Log,
} from '@churnstream/runtime'
import { createObjectClient, readObject } from '@churnstream/runtime/s3'
import { topics } from '@churnstream/topology'
import { createHash } from 'node:crypto'
import type { Known } from './core/player-days.ts'
import { parseProfile, type Profile } from './core/profile.ts'

/** Bytes of s3://bucket/prefix/path; undefined when there is no such object. */
export type ReadObject = (location: string, path: string) => Promise<Uint8Array | undefined>

export interface Profiles {
  /**
   * Of a version that has scored. Its announcement stood in the topic before; where compaction has
   * taken it since, or the version came without a profile, there is none.
   * @throws TransientError when Kafka, the registry or S3 does not answer
   */
  find(modelName: string, modelVersion: string): Promise<Known>
  /** The profile that was found before. @throws TransientError when S3 does not answer */
  load(artifactLocation: string, sha256: string): Promise<Profile | null>
  /** One that `find` or `load` gave. */
  loaded(artifactLocation: string, sha256: string): Profile | null
}

const fileName = 'reference_profile.json'
const topic = topics.registryEvents.name

export function createProfiles(options: {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly readObject: ReadObject
  readonly log: Log
}): Profiles {
  const { kafka, schemas, readObject, log } = options
  const decoder = new Decoder('registry-event')
  const events = new Map<string, RegistryEvent>()
  const profiles = new Map<string, Profile | null>()

  async function readEvents(): Promise<void> {
    for await (const records of kafka.read(topic, 0)) await take(records)
  }

  async function take(records: readonly ConsumedRecord[]): Promise<void> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    await schemas.prepare(decoder, values)
    for (const value of values) {
      const event = decoder.decode(value)
      if (event instanceof DecodeProblem) continue
      events.set(`${event.modelName} ${event.modelVersion}`, event)
    }
  }

  async function load(artifactLocation: string, sha256: string): Promise<Profile | null> {
    const key = keyOf(artifactLocation, sha256)
    const known = profiles.get(key)
    if (known !== undefined) return known
    const bytes = await readObject(artifactLocation, fileName)
    const profile = bytes === undefined ? null : parsed(bytes, artifactLocation, sha256)
    if (bytes === undefined) log.error({ artifactLocation }, 'the profile is gone from the store')
    profiles.set(key, profile)
    return profile
  }

  function parsed(bytes: Uint8Array, artifactLocation: string, sha256: string): Profile | null {
    const found = createHash('sha256').update(bytes).digest('hex')
    try {
      if (found !== sha256) throw new Error(`it has SHA-256 ${found}, announced was ${sha256}`)
      return parseProfile(Buffer.from(bytes).toString('utf8'))
    } catch (error) {
      log.error({ artifactLocation, reason: messageOf(error) }, 'the profile is not usable')
      return null
    }
  }

  return {
    load,
    loaded(artifactLocation, sha256) {
      const profile = profiles.get(keyOf(artifactLocation, sha256))
      if (profile === undefined) throw new Error(`${artifactLocation} was not loaded before: a bug`)
      return profile
    },
    async find(modelName, modelVersion) {
      const key = `${modelName} ${modelVersion}`
      if (!events.has(key)) await readEvents()
      const event = events.get(key)
      const file = event?.files.find(({ path }) => path === fileName)
      const reference = (artifactLocation: string, profileSha256: string): ProfileReference => ({
        modelName,
        modelVersion,
        artifactLocation,
        profileSha256,
      })
      if (event === undefined || file === undefined) {
        log.warn({ modelName, modelVersion }, 'a version without a reference profile is counted')
        return { reference: reference('', ''), profile: null }
      }
      const { artifactLocation } = event
      const profile = await load(artifactLocation, file.sha256)
      return { reference: reference(artifactLocation, file.sha256), profile }
    },
  }
}

const keyOf = (artifactLocation: string, sha256: string): string => `${sha256} ${artifactLocation}`

/** @param endpoint only for an S3 that is not Amazon's */
export function createS3Reader(endpoint: string | undefined): ReadObject {
  const client = createObjectClient(endpoint)
  return async (location, path) => {
    const folder = parseS3Location(location)
    if (folder === undefined) return undefined
    return readObject(client, folder.bucket, `${folder.prefix}/${path}`)
  }
}
