// How is an object read from S3? Apart from the rest of the runtime: most services need no S3.
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { TransientError } from './errors.ts'

const connectionTimeoutMs = 3_000
const requestTimeoutMs = 15_000

/**
 * For objects that a service needs while it serves: it gives up early and is asked again. Keys and
 * region come from the usual AWS variables.
 * @param endpoint only for an S3 that is not Amazon's
 */
export function createObjectClient(endpoint: string | undefined): S3Client {
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: requestTimeoutMs },
    maxAttempts: 2,
  })
}

/**
 * The bytes of an object; undefined when there is none.
 * @throws TransientError when the store does not answer
 */
export async function readObject(
  client: S3Client,
  bucket: string,
  key: string,
): Promise<Uint8Array | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    if (Body === undefined) throw new Error('the answer has no body')
    return await Body.transformToByteArray()
  } catch (error) {
    const { name } = error as Error
    if (name === 'NoSuchKey' || name === 'NoSuchBucket') return undefined
    throw new TransientError(`reading s3://${bucket}/${key}`, { cause: error })
  }
}
