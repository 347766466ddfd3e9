// How does a model's folder come from S3, and is it the one that was announced?
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { RegistryEvent } from '@churnstream/schemas'
import { TransientError } from '@churnstream/runtime'
import { createHash } from 'node:crypto'

/** The version must not serve. Nothing that serves changes. */
export class ModelRefused extends Error {
  override name = 'ModelRefused'
  readonly reason: string
  constructor(reason: string, detail: string, options?: { cause?: unknown }) {
    super(detail, options)
    this.reason = reason
  }
}

const maxFileBytes = 256 * 1024 * 1024

export interface ArtifactStore {
  /**
   * A file of the announced folder, byte for byte.
   * @throws ModelRefused when it is missing, too large or not what the digest says
   * @throws TransientError when the store does not answer
   */
  fetch(event: RegistryEvent, path: string): Promise<Uint8Array>
}

export function createS3Artifacts(endpoint: string | undefined): ArtifactStore {
  const client = new S3Client(endpoint === undefined ? {} : { endpoint, forcePathStyle: true })
  return {
    async fetch(event, path) {
      const expected = event.files.find((file) => file.path === path)
      if (expected === undefined) {
        throw new ModelRefused('file-missing', `${event.artifactLocation} has no ${path}`)
      }
      if (expected.sizeBytes > maxFileBytes) {
        throw new ModelRefused('file-too-large', `${path} has ${expected.sizeBytes} bytes`)
      }
      const { bucket, prefix } = parseLocation(event.artifactLocation)
      const bytes = await get(client, bucket, `${prefix}/${path}`)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      if (sha256 !== expected.sha256) {
        throw new ModelRefused(
          'digest-mismatch',
          `${path} has SHA-256 ${sha256}, announced was ${expected.sha256}`,
        )
      }
      return bytes
    },
  }
}

async function get(client: S3Client, bucket: string, key: string): Promise<Uint8Array> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    if (Body === undefined) throw new Error('the answer has no body')
    return await Body.transformToByteArray()
  } catch (error) {
    const name = (error as Error).name
    if (name === 'NoSuchKey' || name === 'NoSuchBucket') {
      throw new ModelRefused('file-missing', `s3://${bucket}/${key} does not exist`, {
        cause: error,
      })
    }
    throw new TransientError(`fetching s3://${bucket}/${key}`, { cause: error })
  }
}

export function parseLocation(location: string): { bucket: string; prefix: string } {
  const match = /^s3:\/\/([^/]+)\/(.+?)\/?$/.exec(location)
  if (match === null) {
    throw new ModelRefused('location-not-s3', `${location} is not of the form s3://bucket/prefix`)
  }
  return { bucket: match[1] as string, prefix: match[2] as string }
}
