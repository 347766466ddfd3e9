// How is a version's folder taken apart and put into the registry in another shape?
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Mlflow } from '@churnstream/registry-bridge'
import type { Stack } from '@churnstream/topology/local'
import { randomUUID } from 'node:crypto'

export type Folder = Map<string, Buffer>

export interface Folders {
  /** The files of a registered version. */
  read(modelName: string, modelVersion: string): Promise<Folder>
  /** Registers the files as the next version of a model, as any client of MLflow could. */
  register(modelName: string, folder: Folder): Promise<string>
  /** Changes a file behind the registry's back. */
  overwrite(modelName: string, modelVersion: string, path: string, body: Buffer): Promise<void>
  deleteVersion(modelName: string, modelVersion: string): Promise<void>
}

export function openFolders(stack: Stack, mlflow: Mlflow): Folders {
  const { endpoint, accessKeyId, secretAccessKey, region, bucket } = stack.s3
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })

  async function call(path: string, body: object, method = 'POST'): Promise<unknown> {
    const response = await fetch(`${stack.mlflow.url}/api/2.0/mlflow/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer: unknown = await response.json()
    const { error_code: code } = answer as { error_code?: string }
    if (response.ok || code === 'RESOURCE_ALREADY_EXISTS') return answer
    throw new Error(`MLflow answers ${response.status} for ${path}: ${JSON.stringify(answer)}`)
  }

  async function prefixOf(modelName: string, modelVersion: string): Promise<string> {
    const location = await mlflow.artifactLocation(modelName, modelVersion)
    return `${location.slice(`s3://${bucket}/`.length)}/`
  }

  return {
    async read(modelName, modelVersion) {
      const prefix = await prefixOf(modelName, modelVersion)
      const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
      const folder: Folder = new Map()
      for (const { Key } of listed.Contents ?? []) {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
        if (Key === undefined || Body === undefined) continue
        folder.set(Key.slice(prefix.length), Buffer.from(await Body.transformToByteArray()))
      }
      return folder
    },
    async register(modelName, folder) {
      const prefix = `made/${randomUUID()}`
      for (const [path, body] of folder) {
        const Key = `${prefix}/${path}`
        await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: body }))
      }
      await call('registered-models/create', { name: modelName })
      const answer = await call('model-versions/create', {
        name: modelName,
        source: `s3://${bucket}/${prefix}`,
      })
      return (answer as { model_version: { version: string } }).model_version.version
    },
    async overwrite(modelName, modelVersion, path, body) {
      const Key = `${await prefixOf(modelName, modelVersion)}${path}`
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: body }))
    },
    async deleteVersion(name, version) {
      await call('model-versions/delete', { name, version }, 'DELETE')
    },
  }
}
