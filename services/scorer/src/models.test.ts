// Does a version score only when it may, and does the old one go on until then?
import { Health } from '@churnstream/runtime'
import { MemoryCluster, until } from '@churnstream/runtime/testing'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeOf } from './core/routing.ts'
import { createModels } from './models.ts'
import type { Statement } from './reports.ts'
import { announcer, fakeVersions, log, schemas } from './testing.ts'

async function open() {
  const kafka = new MemoryCluster().open()
  await kafka.ensureTopics([{ name: topics.registryEvents.name, partitions: 1, config: {} }])
  const health = new Health()
  const versions = fakeVersions()
  const refused: string[] = []
  const swapped: string[] = []
  const stated = new Map<string, Partial<Statement>>()
  const models = createModels({
    kafka,
    schemas,
    versions,
    reports: {
      state(modelName, alias, change) {
        const key = `${modelName}@${alias}`
        stated.set(key, { ...stated.get(key), ...change })
      },
      stop: async () => undefined,
    },
    namePrefix: 'churn-',
    guard: {
      windowMs: 60_000,
      maxErrorShare: 0.01,
      maxMicrosecondsPerRow: 100,
      maxScoreShift: 0.5,
      minRows: 10,
    },
    log,
    health,
    onSwap: (key, { epoch }) => void swapped.push(`${key} ${epoch}`),
    onRefused: (key, reason) => void refused.push(`${key} ${reason}`),
    onRemoved: () => undefined,
  })
  const announce = await announcer(kafka)
  const loaded = async (key: string, version: string) => {
    const epoch = await announce(key, version)
    await until(`${key} ${version} is loaded`, () => swapped.includes(`${key} ${epoch}`))
    return epoch
  }
  const championOf = (market: string) =>
    models.withCurrent(async ({ champions }) => routeOf(champions, market))
  return { models, health, versions, refused, stated, announce, loaded, championOf }
}
const fallback = 'churn-default@champion'

test('createModels - without a champion of the fallback it waits and says so', async () => {
  const { models, health, announce, loaded } = await open()
  assert.match(health.state.waiting['model'] ?? '', /no version of churn-default@champion/)
  await announce('churn-default@staging', '1')
  await loaded('churn-gb@champion', '1')
  assert.equal(health.state.ready, false)
  await loaded(fallback, '2')
  await models.first
  assert.equal(health.state.ready, true)
  await models.stop()
})

test('createModels - a refused version changes nothing that serves, and the report says why', async () => {
  const { models, health, announce, refused, stated, loaded, championOf } = await open()
  const epoch = await loaded(fallback, '1')
  const refusedEpoch = await announce(fallback, 'too-slow')
  await until('it is refused', () => refused.includes(`${fallback} too-slow`))
  assert.equal((await championOf('gb'))?.version.modelVersion, '1')
  assert.equal(health.state.ready, true)
  const { loadedVersion, loadedEpoch, verdict, reason, verdictEpoch } = stated.get(
    fallback,
  ) as Statement
  assert.deepEqual(
    [loadedVersion, loadedEpoch, verdict, reason, verdictEpoch],
    ['1', epoch, 'refused', 'too-slow', refusedEpoch],
  )
  await loaded(fallback, '3')
  await models.stop()
})

test('createModels - a market is added while running, and falls back when its alias goes', async () => {
  const { models, announce, loaded, championOf, stated } = await open()
  await loaded(fallback, '1')
  await loaded('churn-us-nj@champion', '7')
  assert.equal((await championOf('us-nj'))?.version.modelName, 'churn-us-nj')
  assert.equal((await championOf('gb'))?.version.modelName, 'churn-default')
  await announce('churn-us-nj@champion', null)
  await until('the market falls back', async () => {
    return (await championOf('us-nj'))?.version.modelName === 'churn-default'
  })
  assert.equal(stated.get('churn-us-nj@champion')?.loadedVersion, null)
  await models.stop()
})

test('createModels - without its alias the fallback goes on', async () => {
  const { models, announce, loaded, championOf } = await open()
  await loaded(fallback, '1')
  await announce(fallback, null)
  await loaded('churn-gb@champion', '1')
  assert.equal((await championOf('us-nj'))?.version.modelVersion, '1')
  await models.stop()
})

test('createModels - a batch keeps its versions through swaps; the version before stays warm', async () => {
  const { models, loaded, versions } = await open()
  await loaded(fallback, '1')
  await models.withCurrent(async ({ champions }) => {
    await loaded(fallback, '2')
    await loaded(fallback, '3')
    assert.equal(routeOf(champions, 'gb')?.version.modelVersion, '1')
    assert.ok((versions.claims.get('churn-default 1') ?? 0) > 0)
  })
  assert.equal(versions.claims.get('churn-default 1'), 0)
  assert.ok((versions.claims.get('churn-default 2') ?? 0) > 0)
  for (const version of ['2', '3', '2', '3', '2']) await loaded(fallback, version)
  // The stand and the snapshot claim it; the claims of five swaps are gone.
  assert.equal(versions.claims.get('churn-default 3'), 2)
  assert.equal(versions.claims.get('churn-default 2'), 2)
  await models.stop()
})

test('createModels - a swap to an unknown version is watched, the way back is not', async () => {
  const { models, loaded, championOf } = await open()
  await loaded(fallback, '1')
  assert.equal((await championOf('gb'))?.watch, undefined)
  await loaded(fallback, '2')
  assert.equal((await championOf('gb'))?.watch?.before.modelVersion, '1')
  await loaded(fallback, '1')
  assert.equal((await championOf('gb'))?.watch, undefined)
  await models.stop()
})

test('createModels - a champion that leaves its guard is reported with its epoch', async () => {
  const { models, loaded, championOf, stated } = await open()
  await loaded(fallback, '1')
  const epoch = await loaded(fallback, '2')
  const champion = await championOf('gb')
  assert.ok(champion)
  models.breached(champion, { reason: 'guard-scores', detail: 'they moved' })
  const { verdict, reason, verdictVersion, verdictEpoch } = stated.get(fallback) as Statement
  assert.deepEqual(
    [verdict, reason, verdictVersion, verdictEpoch],
    ['unhealthy', 'guard-scores', '2', epoch],
  )
  await models.stop()
})

test('createModels - a challenger that is refused shadows nothing any more', async () => {
  const { models, announce, refused, loaded, stated } = await open()
  await loaded(fallback, '1')
  await loaded('churn-default@challenger', '2')
  const shadows = () => models.withCurrent(async ({ challengers }) => challengers.byName.size)
  assert.equal(await shadows(), 1)
  assert.equal(models.shadowFigures('churn-default').length > 0, true)
  await announce('churn-default@challenger', 'golden-differs')
  await until('it is refused', () => refused.length === 1)
  assert.equal(await shadows(), 0)
  assert.equal(stated.get('churn-default@challenger')?.loadedVersion, null)
  assert.deepEqual(models.shadowFigures('churn-default'), [])
  await models.stop()
})

test('createModels - caughtUp waits for the newest champion that stands in the topic', async () => {
  const { models, loaded, announce, championOf } = await open()
  await loaded(fallback, '1')
  await announce(fallback, '2')
  await models.caughtUp()
  assert.equal((await championOf('gb'))?.version.modelVersion, '2')
  await models.stop()
})
