// Which files does a model's folder hold, and what is each one's digest?
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import type { RegistryEvent } from '@churnstream/schemas'
import { TransientError, messageOf, parseS3Location } from '@churnstream/runtime'
import { createHash } from 'node:crypto'

export type ArtifactFiles = RegistryEvent['files']

/** Lists and hashes a folder; what is wrong with this very folder is said by a string. */
export type DescribeFolder = (location: string) => Promise<ArtifactFiles | { problem: string }>

const maxFiles = 200
const maxFolderBytes = 1024 * 1024 * 1024
/** About the folder, not about S3: asking again changes nothing until somebody mends it. */
const aboutTheFolder = new Set(['NoSuchBucket', 'NoSuchKey', 'AccessDenied', 'InvalidBucketName'])

/** @param endpoint only for an S3 that is not Amazon's */
export function createFolderClient(endpoint: string | undefined): S3Client {
  return new S3Client(endpoint === undefined ? {} : { endpoint, forcePathStyle: true })
}

export function createS3Folders(client: S3Client): DescribeFolder {
  return async (location) => {
    const folder = parseS3Location(location)
    if (folder === undefined)
      return { problem: `${location} is not of the form s3://bucket/prefix` }
    const { bucket: Bucket, prefix } = folder
    try {
      const listed = await client.send(
        new ListObjectsV2Command({ Bucket, Prefix: `${prefix}/`, MaxKeys: maxFiles + 1 }),
      )
      const objects = (listed.Contents ?? []).filter(({ Key }) => Key && !Key.endsWith('/'))
      if (objects.length === 0) return { problem: `${location} holds no files` }
      if (objects.length > maxFiles)
        return { problem: `${location} holds more than ${maxFiles} files` }
      const bytes = objects.reduce((sum, { Size }) => sum + (Size ?? 0), 0)
      if (bytes > maxFolderBytes) {
        return { problem: `${location} holds ${bytes} bytes, more than ${maxFolderBytes}` }
      }
      const files: ArtifactFiles = []
      for (const { Key } of objects) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
        if (Body === undefined) throw new Error(`${Key} has no body`)
        const hash = createHash('sha256')
        let sizeBytes = 0
        for await (const chunk of Body as AsyncIterable<Uint8Array>) {
          hash.update(chunk)
          sizeBytes += chunk.length
        }
        files.push({
          path: (Key as string).slice(prefix.length + 1),
          sha256: hash.digest('hex'),
          sizeBytes,
        })
      }
      return files.sort((a, b) => (a.path < b.path ? -1 : 1))
    } catch (error) {
      if (error instanceof Error && aboutTheFolder.has(error.name)) {
        return { problem: `${location} cannot be read: ${error.name}: ${messageOf(error)}` }
      }
      throw new TransientError(`reading ${location}`, { cause: error })
    }
  }
}
