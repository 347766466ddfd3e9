// How do S3's objects become files and files objects, none of them half?
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import {
  FatalError,
  TransientError,
  failpoint,
  parseS3Location,
  type S3Location,
} from '@churnstream/runtime'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'

/** An object as it was when it was listed. */
export interface ObjectVersion {
  readonly bucket: string
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
}

/**
 * Every call
 * @throws TransientError when S3 is away
 * @throws FatalError when a bucket or an object is not there or not ours to use
 */
export interface Objects {
  /** undefined: there is no such object. */
  find(location: string): Promise<ObjectVersion | undefined>
  /** All objects below the location, in the order of their keys. */
  list(location: string): Promise<ObjectVersion[]>
  /**
   * Copies this very version of the object. A broken connection is taken up where it broke.
   * @returns its SHA-256
   * @throws TransientError when the object was replaced or deleted since it was listed
   */
  download(object: ObjectVersion, file: string): Promise<string>
  /** Seen as a whole or not at all; parts of an upload that failed are taken back. */
  upload(file: string, location: string): Promise<void>
  /** What is not there is no trouble. */
  remove(location: string): Promise<void>
}

/** About the request, not about the world: asking again changes nothing. */
const aboutTheRequest = new Set([
  'NoSuchBucket',
  'NoSuchKey',
  'NotFound',
  'AccessDenied',
  'Forbidden',
  'InvalidBucketName',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'CredentialsProviderError',
])
const isMissing = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')
const isReplaced = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'PreconditionFailed' || error.name === '412')

const attempts = 3
/** Larger files go up in parts. */
const onePutBytes = 5 * 1024 * 1024

export function createObjects(client: S3Client): Objects {
  async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof FatalError || error instanceof TransientError) throw error
      if (error instanceof TypeError || error instanceof RangeError) throw error
      if (error instanceof Error && aboutTheRequest.has(error.name)) {
        throw new FatalError(`${what}: ${error.name}: ${error.message}`, { cause: error.cause })
      }
      throw new TransientError(what, { cause: error })
    }
  }

  return {
    find(location) {
      const { bucket, prefix: key } = toLocation(location)
      return attempt(`looking for ${location}`, async () => {
        try {
          const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
          return { bucket, key, sizeBytes: found.ContentLength ?? 0, etag: found.ETag ?? '' }
        } catch (error) {
          if (isMissing(error)) return undefined
          throw error
        }
      })
    },

    list(location) {
      const { bucket, prefix } = toLocation(location)
      return attempt(`listing ${location}`, async () => {
        const found: ObjectVersion[] = []
        let token: string | undefined
        do {
          const page = await client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: `${prefix}/`,
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
          )
          for (const { Key: key = '', Size: sizeBytes = 0, ETag: etag = '' } of page.Contents ??
            []) {
            if (!key.endsWith('/')) found.push({ bucket, key, sizeBytes, etag })
          }
          token = page.NextContinuationToken
        } while (token !== undefined)
        return found.sort((a, b) => (a.key < b.key ? -1 : 1))
      })
    },

    async download(object, file) {
      const { bucket, key, sizeBytes, etag } = object
      const what = `reading s3://${bucket}/${key}`
      const hash = createHash('sha256')
      let done = 0
      await using handle = await open(file, 'w')
      for (let attemptsLeft = attempts; done < sizeBytes; attemptsLeft--) {
        try {
          const { Body } = await client.send(
            new GetObjectCommand({
              Bucket: bucket,
              Key: key,
              IfMatch: etag,
              ...(done === 0 ? {} : { Range: `bytes=${done}-` }),
            }),
          )
          for await (const chunk of Body as AsyncIterable<Uint8Array>) {
            hash.update(chunk)
            await handle.writeFile(chunk)
            done += chunk.length
          }
          if (done < sizeBytes) throw new Error(`it ended after ${done} of ${sizeBytes} bytes`)
        } catch (error) {
          if (isReplaced(error) || isMissing(error)) {
            const became = isReplaced(error) ? 'replaced' : 'deleted'
            throw new TransientError(`${what}: it was ${became} since it was listed`)
          }
          if (attemptsLeft > 1) continue
          await attempt(what, () => Promise.reject(error as Error))
        }
      }
      if (done !== sizeBytes) throw new TransientError(`${what}: it is longer than it was listed`)
      return hash.digest('hex')
    },

    upload(file, location) {
      const { bucket, prefix: key } = toLocation(location)
      return attempt(`writing ${location}`, async () => {
        const { size } = await stat(file)
        if (size <= onePutBytes) {
          const Body = await readFile(file)
          await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body }))
          return
        }
        const upload = new Upload({
          client,
          params: { Bucket: bucket, Key: key, Body: createReadStream(file) },
          leavePartsOnError: false,
        })
        upload.on('httpUploadProgress', () => failpoint('mid-multipart'))
        await upload.done()
      })
    },

    remove(location) {
      const { bucket, prefix: key } = toLocation(location)
      return attempt(`deleting ${location}`, async () => {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
      })
    },
  }
}

function toLocation(location: string): S3Location {
  const parsed = parseS3Location(location)
  if (parsed === undefined) throw new FatalError(`${location} is not of the form s3://bucket/key`)
  return parsed
}
