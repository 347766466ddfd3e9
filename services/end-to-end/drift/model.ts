// How does the model of the drift table score vectors? As in the stream, without its threads.
import { Encoder, type FeatureVector } from '@churnstream/schemas'
import {
  Projection,
  VectorDecoder,
  parseColumns,
  type VectorView,
} from '@churnstream/schemas/model'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { parseProfile, type Profile } from '@churnstream/monitor'
import { openRunner } from '@churnstream/scorer'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const modelFolder = fileURLToPath(new URL('model/', import.meta.url))

export interface Model {
  readonly profile: Profile
  score(vectors: readonly FeatureVector[]): Promise<Float32Array>
}

export async function openModel(): Promise<Model> {
  const read = (name: string) => readFileSync(join(modelFolder, name))
  const columns = parseColumns(read('columns.json').toString())
  if (!Array.isArray(columns)) throw columns
  const projection = Projection.of(columns)
  if (!(projection instanceof Projection)) throw projection
  const runner = await openRunner('forest', read('model.onnx'), projection.width)
  const encoder = new Encoder('feature-vector', 1)
  const decoder = new VectorDecoder()
  const schemas = fixedSchemas({ 1: 'feature-vector' })
  return {
    profile: parseProfile(read('reference_profile.json').toString()),
    async score(vectors) {
      const bytes = vectors.map((vector) => encoder.encode(vector))
      await schemas.prepare(decoder, bytes)
      const views = bytes.map((value) => decoder.decode(value) as VectorView)
      return runner.score(projection.rows(views))
    },
  }
}
