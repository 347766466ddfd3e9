// Is a version loaded once for all who claim it, and freed when the last lets go?
import type { RegistryEvent } from '@churnstream/schemas'
import { Projection } from '@churnstream/schemas/model'
import { until } from '@churnstream/runtime/testing'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunFailed, type Engine } from './engine.ts'
import { ModelRefused } from './refused.ts'
import { figures, log } from './testing.ts'
import { createVersions } from './versions.ts'

const event = (modelVersion: string, sha256 = 'aa'): RegistryEvent => ({
  modelName: 'churn-default',
  alias: 'champion',
  modelVersion,
  artifactLocation: 's3://b/p',
  files: [{ path: 'model.onnx', sha256, sizeBytes: 1 }],
  epoch: 1,
  origin: 'webhook',
})

function open(refuses = false) {
  const open = { serving: new Set<number>(), shadow: new Set<number>() }
  let admitted = 0
  let trials = 0
  let atOnce = 0
  const engineOf = (models: Set<number>): Engine => {
    let next = 0
    return {
      async load() {
        if (refuses) throw new RunFailed('no session')
        models.add(++next)
        return next
      },
      score: async (_model, rows, width) => ({
        scores: new Float32Array(rows.length / width),
        microseconds: 0,
      }),
      release: async (model) => void models.delete(model),
      pendingRows: 0,
      close: async () => undefined,
    }
  }
  const columns = [{ name: 'bets_7d' }]
  const projection = Projection.of(columns) as Projection
  const versions = createVersions({
    async admit() {
      atOnce = Math.max(atOnce, ++trials)
      await Promise.resolve()
      trials--
      admitted++
      const onnx = new Uint8Array()
      return { onnx, runner: 'forest', whyNoForest: '', columns, projection, figures }
    },
    engines: { serving: engineOf(open.serving), shadow: engineOf(open.shadow) },
    log,
  })
  return { versions, open, admitted: () => admitted, atOnce: () => atOnce }
}

test('createVersions - a loaded version is shared, and freed with its last claim', async () => {
  const { versions, open: loaded, admitted } = open()
  const first = await versions.claim(event('1'), 'serving')
  const second = await versions.claim(event('1'), 'serving')
  const third = second.share()
  assert.equal(first.version, second.version)
  assert.deepEqual([admitted(), loaded.serving.size], [1, 1])
  first.release()
  first.release()
  second.release()
  assert.equal(loaded.serving.size, 1)
  third.release()
  await until('it is freed', () => loaded.serving.size === 0)
  await versions.claim(event('1'), 'serving')
  assert.equal(admitted(), 2)
})

test('createVersions - a challenger that becomes champion is loaded in the other thread, not tried again', async () => {
  const { versions, open: loaded, admitted } = open()
  const shadow = await versions.claim(event('2'), 'shadow')
  const serving = await versions.claim(event('2'), 'serving')
  assert.equal(shadow.version, serving.version)
  assert.deepEqual([admitted(), loaded.serving.size, loaded.shadow.size], [1, 1, 1])
  shadow.release()
  await until('the shadow is freed', () => loaded.shadow.size === 0)
  assert.equal(loaded.serving.size, 1)
})

test('createVersions - other bytes under the same version are another version', async () => {
  const { versions, admitted } = open()
  await versions.claim(event('1'), 'serving')
  await versions.claim(event('1', 'bb'), 'serving')
  assert.equal(admitted(), 2)
})

test('createVersions - one trial at a time, and a refusal holds up nobody', async () => {
  const { versions, atOnce } = open()
  await Promise.all(['1', '2', '3'].map((version) => versions.claim(event(version), 'serving')))
  assert.equal(atOnce(), 1)
  const refusing = open(true).versions
  await assert.rejects(refusing.claim(event('1'), 'serving'), ModelRefused)
  await assert.rejects(refusing.claim(event('2'), 'serving'), ModelRefused)
})
