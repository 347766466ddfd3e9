// How does a model's folder come from S3, and is it the one that was announced?
import type { S3Client } from '@aws-sdk/client-s3'
import type { RegistryEvent } from '@churnstream/schemas'
import { parseS3Location } from '@churnstream/runtime'
import { readObject } from '@churnstream/runtime/s3'
import { createHash } from 'node:crypto'
import { ModelRefused } from './refused.ts'

export interface ArtifactStore {
  /**
   * A file of the announced folder, byte for byte.
   * @throws ModelRefused when it is missing, too large or not what the digest says
   * @throws TransientError when the store does not answer
   */
  fetch(event: RegistryEvent, path: string): Promise<Uint8Array>
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
      const key = `${prefix}/${path}`
      const bytes = await readObject(client, bucket, key)
      if (bytes === undefined) {
        throw new ModelRefused('file-missing', `s3://${bucket}/${key} does not exist`)
      }
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
