// Does the newest event win, whatever the world does meanwhile?
import type { RegistryEvent } from '@churnstream/schemas'
import { TransientError, createLog } from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ModelRefused } from './refused.ts'
import { Standing } from './standing.ts'
import type { Claim } from './versions.ts'

const event = (epoch: number, modelVersion = String(epoch)): RegistryEvent => ({
  modelName: 'churn-default',
  alias: 'champion',
  modelVersion,
  artifactLocation: 's3://b/p',
  files: [],
  epoch,
  origin: 'webhook',
})

function open(claim: (event: RegistryEvent) => Promise<Claim>) {
  const said: string[] = []
  const standing = new Standing({
    key: 'churn-default@champion',
    claim,
    onLoaded: ({ modelVersion }) => void said.push(`loaded ${modelVersion}`),
    onRefused: ({ modelVersion }, { reason }) =>
      void said.push(`refused ${modelVersion} ${reason}`),
    onRemoved: () => void said.push('removed'),
    onFailed: (error) => void said.push(`failed ${String(error)}`),
    log: createLog('test', 'silent'),
  })
  return { standing, said }
}
const claim = {} as Claim

test('Standing - while one loads, only the newest of the later ones is loaded', async () => {
  const gate = Promise.withResolvers<void>()
  const { standing, said } = open(async () => {
    await gate.promise
    return claim
  })
  for (const epoch of [1, 2, 3]) standing.offer(event(epoch))
  gate.resolve()
  await standing.settledTo(3)
  assert.deepEqual(said, ['loaded 1', 'loaded 3'])
})

test('Standing - an epoch that is not newer changes nothing', async () => {
  const { standing, said } = open(async () => claim)
  standing.offer(event(5))
  await standing.settledTo(5)
  standing.offer(event(4))
  standing.offer(event(5, 'other'))
  standing.offer(event(6))
  await standing.settledTo(6)
  assert.deepEqual(said, ['loaded 5', 'loaded 6'])
})

test('Standing - a load that waits for the world gives way to a newer event at once', async () => {
  let asked = 0
  const { standing, said } = open(async ({ modelVersion }) => {
    asked++
    if (modelVersion === '1') throw new TransientError('the store is away')
    return claim
  })
  standing.offer(event(1))
  await until('the first was tried', () => asked > 0)
  standing.offer(event(2))
  await standing.settledTo(2)
  assert.deepEqual(said, ['loaded 2'])
})

test('Standing - a refusal settles; a bug is not taken for one', async () => {
  const { standing, said } = open(async ({ modelVersion }) => {
    if (modelVersion === '1') throw new ModelRefused('too-slow', 'a row costs 700 µs')
    throw new TypeError('a bug')
  })
  standing.offer(event(1))
  await standing.settledTo(1)
  standing.offer(null)
  await until('it was removed', () => said.includes('removed'))
  standing.offer(event(2))
  await until('it failed', () => said.some((line) => line.startsWith('failed')))
  assert.deepEqual(said, ['refused 1 too-slow', 'removed', 'failed TypeError: a bug'])
})

test('Standing - stop ends the waiting', async () => {
  const { standing, said } = open(async () => {
    throw new TransientError('the store is away')
  })
  standing.offer(event(1))
  await standing.stop()
  assert.deepEqual(said, [])
})
