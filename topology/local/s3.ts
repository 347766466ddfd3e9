// How does the S3 gateway run, keeping objects as files?
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import type { Context } from './context.ts'
import type { ServerSpec } from './server.ts'

const answerTimeoutMs = 3_000

export interface S3Location {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
  region: string
  bucket: string
}

export function s3Location({ ports, dataDir }: Context): S3Location {
  return {
    endpoint: `http://127.0.0.1:${ports.s3}`,
    accessKeyId: dataDir.secrets.s3AccessKeyId,
    secretAccessKey: dataDir.secrets.s3SecretAccessKey,
    region: 'us-east-1',
    bucket: 'churnstream',
  }
}

export function s3Spec(context: Context): ServerSpec {
  const { dataDir, java, serversDir, ports } = context
  const { endpoint, accessKeyId, secretAccessKey } = s3Location(context)
  const dir = join(dataDir.path, 's3')
  const objects = join(dir, 'objects')
  const properties = join(dir, 's3proxy.properties')
  mkdirSync(objects, { recursive: true })
  const settings = [
    `s3proxy.endpoint=${endpoint}`,
    's3proxy.authorization=aws-v2-or-v4',
    `s3proxy.identity=${accessKeyId}`,
    `s3proxy.credential=${secretAccessKey}`,
    // Without it the checksum headers of today's SDKs are answered by 501.
    's3proxy.ignore-unknown-headers=true',
    'jclouds.provider=filesystem-nio2',
    `jclouds.filesystem.basedir=${objects}`,
  ]
  writeFileSync(properties, `${settings.join('\n')}\n`, { mode: 0o600 })
  const logback = `-Dlogback.configurationFile=${join(import.meta.dirname, 'logback.xml')}`
  const small = ['-Xmx128m', '-Xss512k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const classPath = ['-cp', [join(serversDir, 's3proxy', '*')].join(delimiter)]
  return {
    name: 's3',
    command: java,
    args: [...small, logback, ...classPath, 'org.gaul.s3proxy.Main', '--properties', properties],
    cwd: dir,
    logFile: join(dataDir.path, 'logs', 's3.log'),
    port: ports.s3,
    async answers() {
      const client = s3Client(s3Location(context))
      try {
        await client.send(new ListBucketsCommand(), {
          abortSignal: AbortSignal.timeout(answerTimeoutMs),
        })
        return true
      } finally {
        client.destroy()
      }
    },
  }
}

export async function createBucket(location: S3Location): Promise<void> {
  const client = s3Client(location)
  try {
    const { Buckets = [] } = await client.send(new ListBucketsCommand())
    if (Buckets.some(({ Name }) => Name === location.bucket)) return
    await client.send(new CreateBucketCommand({ Bucket: location.bucket }))
  } finally {
    client.destroy()
  }
}

function s3Client({ endpoint, region, accessKeyId, secretAccessKey }: S3Location): S3Client {
  const credentials = { accessKeyId, secretAccessKey }
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 })
}
