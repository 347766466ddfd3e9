// How does a model's folder come from S3, and is it the one that was announced?
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { RegistryEvent } from '@churnstream/schemas'
import { TransientError, parseS3Location } from '@churnstream/runtime'
import { createHash } from 'node:crypto'
import { ModelRefused } from './refused.ts'

const connectionTimeoutMs = 3_000
const requestTimeoutMs = 15_000

export interface ArtifactStore {
  /**
   * A file of the announced folder, byte for byte.
   * @throws ModelRefused when it is missing, too large or not what the digest says
   * @throws TransientError when the store does not answer
   */
  fetch(event: RegistryEvent, path: string): Promise<Uint8Array>
}

/** @param endpoint only for an S3 that is not Amazon's */
export function createArtifactClient(endpoint: string | undefined): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
    maxAttempts: 2,
  })
}

export interface S3ArtifactsOptions {
  readonly client: S3Client
  readonly maxFileBytes: number
}

export function createS3Artifacts({ client, maxFileBytes }: S3ArtifactsOptions): ArtifactStore {
  return {
    async fetch(event, path) {
      const expected = event.files.find((file) => file.path === path)
      if (expected === undefined) {
        throw new ModelRefused(
          'file-missing',
          `${event.artifactLocation} has no ${path}; npm run model -- import makes a version with all that is needed`,
        )
      }
      if (expected.sizeBytes > maxFileBytes) {
        throw new ModelRefused(
          'file-too-large',
          `${path} has ${expected.sizeBytes} bytes, allowed are ${maxFileBytes}`,
        )
      }
      const folder = parseS3Location(event.artifactLocation)
      if (folder === undefined) {
        const detail = `${event.artifactLocation} is not of the form s3://bucket/prefix`
        throw new ModelRefused('location-not-s3', detail)
      }
      const { bucket, prefix } = folder
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
