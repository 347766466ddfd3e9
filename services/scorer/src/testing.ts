// What do the scorer's tests share? Made-up versions, vectors and announcements.
import { Encoder, type RegistryEvent } from '@churnstream/schemas'
import type { VectorView } from '@churnstream/schemas/model'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { createLog, type Kafka } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { ModelRefused } from './refused.ts'
import type { Claim, Thread, Version, Versions } from './versions.ts'

export const log = createLog('test', 'silent')

export const figures = {
  goldenRows: 1,
  goldenMaxDifference: 0,
  goldenTolerance: 1e-6,
  microsecondsPerRow: 5,
  onnxRuntimeMicrosecondsPerRow: 6,
  forestMicrosecondsPerRow: 5,
  servedByForest: 1,
  memoryBytes: 1,
  loadMs: 1,
}

/** Gives every vector the same score. */
export function versionOf(
  modelName: string,
  modelVersion: string,
  score: (thread: Thread, vectors: readonly VectorView[]) => number = () => 0.5,
): Version {
  return {
    modelName,
    modelVersion,
    figures,
    runner: 'forest',
    whyNoForest: '',
    score: async (thread, vectors) => ({
      scores: new Float32Array(vectors.length).fill(score(thread, vectors)),
      microseconds: vectors.length,
    }),
  }
}

/** Loads at once; a version named after a reason is refused with it. Counts the claims. */
export function fakeVersions(): Versions & { readonly claims: Map<string, number> } {
  const claims = new Map<string, number>()
  const versions = new Map<string, Version>()
  const claimOf = (id: string, version: Version): Claim => {
    claims.set(id, (claims.get(id) ?? 0) + 1)
    return {
      version,
      share: () => claimOf(id, version),
      release: () => void claims.set(id, (claims.get(id) ?? 0) - 1),
    }
  }
  return {
    claims,
    async claim({ modelName, modelVersion }) {
      if (/^[a-z]/.test(modelVersion)) throw new ModelRefused(modelVersion, 'for the test')
      const id = `${modelName} ${modelVersion}`
      const version = versions.get(id) ?? versionOf(modelName, modelVersion)
      versions.set(id, version)
      return claimOf(id, version)
    },
  }
}

export const schemas = fixedSchemas({ 1: 'registry-event' })

/** Writes registry events with rising epochs; a version of null takes the alias away. */
export async function announcer(kafka: Kafka) {
  const encoder = new Encoder('registry-event', 1)
  const producer = await kafka.openProducer()
  let epoch = 0
  return async (key: string, modelVersion: string | null): Promise<number> => {
    const [modelName, alias] = key.split('@') as [string, string]
    const event = (version: string): RegistryEvent => ({
      modelName,
      alias,
      modelVersion: version,
      artifactLocation: 's3://b/p',
      files: [],
      epoch: ++epoch,
      origin: 'webhook',
    })
    const value = modelVersion === null ? null : encoder.encode(event(modelVersion))
    await producer.send([{ topic: topics.registryEvents.name, partition: 0, key, value }])
    return epoch
  }
}
