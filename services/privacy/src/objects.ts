// Which objects of S3 have a player in them, and how do they go on without?
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { openScratch, type ObjectVersion, type Objects } from '@churnstream/batch'
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import { icebergFolder } from '@churnstream/topology'
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createGunzip, gunzip, gzip } from 'node:zlib'
import { pipeline } from 'node:stream'
import { createMentions } from './core/mentions.ts'
import type { Finding } from './core/finding.ts'
import {
  holds,
  withoutInCsv,
  withoutInJson,
  withoutInJsonLines,
  type Without,
} from './core/without.ts'
import { isOfFormerLife, type Life } from './core/life.ts'
import { readBlocks } from './iceberg/avro-file.ts'
import { countInParquet, withoutInParquet, type Row } from './parquet.ts'

export interface Place {
  readonly objects: Objects
  readonly s3: S3Client
  /** Buckets, or prefixes of them: s3://bucket/prefix. */
  readonly locations: readonly string[]
}

type Kind = 'jsonl' | 'csv' | 'json' | 'parquet' | 'avro' | 'other'

function kindOf(key: string): { readonly kind: Kind; readonly isGzipped: boolean } {
  const [, name = '', gz] = /\.([a-z]+)(\.gz)?$/i.exec(key) ?? []
  const kinds: Readonly<Record<string, Kind>> = {
    jsonl: 'jsonl',
    ndjson: 'jsonl',
    csv: 'csv',
    json: 'json',
    parquet: 'parquet',
    avro: 'avro',
  }
  return {
    kind: kinds[name.toLowerCase()] ?? 'other',
    isGzipped: gz !== undefined || name === 'gz',
  }
}

const locationOf = ({ bucket, key }: ObjectVersion): string => `s3://${bucket}/${key}`

async function* listed({ s3, locations }: Place): AsyncGenerator<ObjectVersion> {
  for (const location of locations) {
    const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(location) ?? []
    if (bucket === undefined) throw new FatalError(`${location} is not of the form s3://bucket`)
    let token: string | undefined
    do {
      const page = await s3
        .send(
          new ListObjectsV2Command({
            Bucket: bucket,
            ...(prefix === '' ? {} : { Prefix: prefix }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        )
        .catch((cause: unknown) => {
          throw new TransientError(`listing ${location}`, { cause })
        })
      for (const { Key: key = '', Size: sizeBytes = 0, ETag: etag = '' } of page.Contents ?? [])
        if (!key.endsWith('/')) yield { bucket, key, sizeBytes, etag }
      token = page.NextContinuationToken
    } while (token !== undefined)
  }
}

/** Bytes as they stand, decompressed where the name says so. */
async function mentionedIn(file: string, isGzipped: boolean, playerId: string): Promise<boolean> {
  const mentions = createMentions(playerId)
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 })
  const chunks = isGzipped ? pipeline(bytes, createGunzip(), () => undefined) : bytes
  // Longer than a name and what stands beside it, so that none is cut in two.
  const overlap = 2 * Buffer.byteLength(playerId) + 16
  let held = Buffer.alloc(0)
  for await (const chunk of chunks) {
    held = Buffer.concat([held.subarray(-overlap), chunk as Buffer])
    if (mentions(held)) return true
  }
  return false
}

/** Files of Iceberg are changed by way of its catalogue alone. */
const isOfIceberg = ({ key }: ObjectVersion): boolean => key.startsWith(`${icebergFolder}/`)

async function isIn(object: ObjectVersion, file: string, life: Life): Promise<boolean> {
  const { kind, isGzipped } = kindOf(object.key)
  const { playerId } = life
  try {
    if (kind === 'parquet') {
      const isTheirs = isOfIceberg(object)
        ? (row: Row) => isOfFormerLife(row, life)
        : (row: Row) => holds(row, playerId)
      return (await countInParquet(file, isTheirs)) > 0
    }
    if (kind === 'avro') {
      const mentions = createMentions(playerId)
      return readBlocks(await readFile(file)).blocks.some(({ bytes }) => mentions(bytes))
    }
    return await mentionedIn(file, isGzipped, playerId)
  } catch (error) {
    // What can't be read can't be proved.
    throw new FatalError(`${locationOf(object)} is not what its name says: ${messageOf(error)}`)
  }
}

/** Every object is read whole. */
export async function findInObjects(
  place: Place,
  life: Life,
): Promise<{ readonly read: number; readonly findings: Finding[] }> {
  await using scratch = await openScratch()
  const file = join(scratch.path, 'object')
  const findings: Finding[] = []
  let read = 0
  for await (const object of listed(place)) {
    await place.objects.download(object, file)
    read++
    if (!(await isIn(object, file, life))) continue
    findings.push({
      place: locationOf(object),
      found: 1,
      goneAt: null,
      because: isOfIceberg(object)
        ? 'rows of the player in Iceberg: erase with WAREHOUSE_DATABASE_URL, where its catalogue is'
        : 'the object has rows of the player',
    })
  }
  return { read, findings }
}

export interface ObjectsErased {
  readonly objects: number
  /** Left as they were: why not, by place. */
  readonly refused: readonly string[]
}

/**
 * Objects with the player are replaced by what is left of them; others are not touched, nor are
 * Iceberg's.
 */
export async function eraseInObjects(
  place: Place,
  life: Life,
  onProgress: (line: string) => void,
): Promise<ObjectsErased> {
  await using scratch = await openScratch()
  const [file, rest] = [join(scratch.path, 'object'), join(scratch.path, 'rest')]
  const refused: string[] = []
  let objects = 0
  for await (const object of listed(place)) {
    if (isOfIceberg(object)) continue
    const location = locationOf(object)
    await place.objects.download(object, file)
    if (!(await isIn(object, file, life))) continue
    const removed = await writeWithout(object, file, rest, life.playerId)
    if (removed === undefined) {
      refused.push(location)
      onProgress(`${location} has rows of the player that can't be taken out`)
      continue
    }
    const now = await place.objects.find(location)
    if (now?.etag !== object.etag) throw new TransientError(`${location} was replaced meanwhile`)
    await place.objects.upload(rest, location)
    onProgress(`${location}: ${removed} rows are gone`)
    objects++
  }
  return { objects, refused }
}

async function writeWithout(
  { key }: ObjectVersion,
  from: string,
  to: string,
  playerId: string,
): Promise<number | undefined> {
  const { kind, isGzipped } = kindOf(key)
  if (kind === 'other' || kind === 'avro') return undefined
  if (kind === 'parquet')
    return (await withoutInParquet(from, to, (row) => holds(row, playerId)))?.removed
  const bytes = await readFile(from)
  const text = (isGzipped ? await promisify(gunzip)(bytes) : bytes).toString()
  const without = withoutIn[kind](text, playerId)
  if (without === undefined || without.removed === 0) return undefined
  const left = Buffer.from(without.text)
  await writeFile(to, isGzipped ? await promisify(gzip)(left) : left)
  return without.removed
}

const withoutIn: Readonly<
  Record<
    Exclude<Kind, 'parquet' | 'avro' | 'other'>,
    (text: string, playerId: string) => Without | undefined
  >
> = { jsonl: withoutInJsonLines, csv: withoutInCsv, json: withoutInJson }
