// Does a model serve only when it may, and does the old one go on until then?
import {
  DecodeProblem,
  Encoder,
  schemaIdOf,
  schemaText,
  typeOf,
  type Decoder,
  type RecordName,
} from '@churnstream/schemas'
import { Health, createLog } from '@churnstream/runtime'
import { MemoryCluster, until } from '@churnstream/runtime/testing'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ModelRefused, type ArtifactStore } from './artifact.ts'
import type { Engine } from './engine.ts'
import { createModels } from './models.ts'

const encoder = new Encoder('registry-event', 1)
const schemas = {
  async prepare<N extends RecordName>(decoder: Decoder<N>, values: Iterable<Buffer | null>) {
    for (const value of values) {
      const id = schemaIdOf(value)
      if (!(id instanceof DecodeProblem)) decoder.learn(id, typeOf(schemaText('registry-event')))
    }
  },
}
/** An artifact whose text says what is wrong with it, if anything. */
const artifacts: ArtifactStore = {
  async fetch({ modelVersion }, path) {
    if (modelVersion === 'changed') throw new ModelRefused('digest-mismatch', 'other bytes')
    const columns = modelVersion === 'foreign' ? ['shoe_size'] : ['bets_7d']
    const probabilities = [modelVersion === 'drifted' ? 0.9 : 0.5]
    const files: Record<string, unknown> = {
      'model.onnx': modelVersion,
      'columns.json': columns,
      'golden.json': { columns, rows: [[1]], probabilities },
    }
    return Buffer.from(JSON.stringify(files[path]))
  },
}

async function open() {
  const kafka = new MemoryCluster().open()
  await kafka.ensureTopics([{ name: topics.registryEvents.name, partitions: 1, config: {} }])
  const released: number[] = []
  let loaded = 0
  const engine: Engine = {
    load: async () => ++loaded,
    score: async (_model, rows) => new Float32Array(rows.length).fill(0.5),
    release: async (model) => void released.push(model),
    close: async () => undefined,
  }
  const health = new Health()
  const refused: string[] = []
  const swapped: string[] = []
  const models = createModels({
    kafka,
    schemas,
    artifacts,
    engine,
    modelName: 'churn-default',
    alias: 'champion',
    log: createLog('test', 'silent'),
    health,
    onSwap: ({ version }) => void swapped.push(version),
    onRefused: (_event, reason) => void refused.push(reason),
  })
  const producer = await kafka.openProducer()
  let epoch = 0
  const announce = (modelVersion: string, alias = 'champion') => {
    const event = {
      modelName: 'churn-default',
      alias,
      modelVersion,
      artifactLocation: 's3://b/p',
      files: [],
      epoch: ++epoch,
      origin: 'reconcile',
    }
    const record = {
      topic: topics.registryEvents.name,
      partition: 0,
      key: `churn-default@${alias}`,
    }
    return producer.send([{ ...record, value: encoder.encode(event) }])
  }
  return { models, health, refused, swapped, released, announce }
}

test('createModels - without a version it waits and says so; another alias changes nothing', async () => {
  const { models, health, announce, swapped } = await open()
  assert.match(health.state.waiting['model'] ?? '', /no version of churn-default@champion/)
  await announce('1', 'challenger')
  await announce('2')
  await models.first
  assert.equal(health.state.ready, true)
  assert.deepEqual(swapped, ['2'])
  await models.stop()
})

test('createModels - a refused version changes nothing that serves, whatever is wrong with it', async () => {
  const { models, health, announce, refused, swapped } = await open()
  await announce('1')
  await models.first
  for (const version of ['changed', 'foreign', 'drifted']) await announce(version)
  await until('the last is refused', () => refused.includes('golden-differs'))
  assert.equal(await models.withCurrent(async ({ version }) => version), '1')
  assert.equal(health.state.ready, true)
  await announce('3')
  await until('the good one serves', () => swapped.includes('3'))
  await models.stop()
})

test('createModels - a batch keeps its model through a swap, and only then it is released', async () => {
  const { models, announce, swapped, released } = await open()
  await announce('1')
  await models.first
  await models.withCurrent(async ({ version }) => {
    await announce('2')
    await until('the next serves', () => swapped.includes('2'))
    assert.equal(version, '1')
    assert.deepEqual(released, [])
  })
  await until('the old one is released', () => released.length === 1)
  await models.stop()
})
