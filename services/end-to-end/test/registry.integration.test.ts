// Does the schema registry protect us, and does its absence cost nothing?
import {
  DecodeProblem,
  Decoder,
  Encoder,
  RegistryUnavailable,
  SchemaRefused,
  Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { startStack } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-registry-'))
let stack: Awaited<ReturnType<typeof startStack>>

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['registry'] })
})
after(async () => {
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

const open = (unknownIdBudgetMs = 300) =>
  new Schemas({ url: stack.registry.url, unknownIdBudgetMs })

test('Schemas.register - the same schema twice has one id, and every record is accepted', async () => {
  for (const { record, name } of Object.values(topics)) {
    assert.equal(await open().register(record, name), await open().register(record, name))
  }
})

test('Schemas.register - services that make a subject at once all get it', async () => {
  for (let round = 0; round < 10; round++) {
    const subject = `made-at-once-${round}`
    const ids = await Promise.all(
      Array.from({ length: 4 }, () => open().register('privacy-confirmation', subject)),
    )
    assert.equal(new Set(ids).size, 1)
  }
})

test('Schemas.register - a schema that cannot read what was written is refused with what to do', async () => {
  const topic = topics.playerActivity.name
  await open().register('player-activity', topic)
  await assert.rejects(open().register('churn-score', topic), (error: Error) => {
    assert.ok(error instanceof SchemaRefused, String(error))
    assert.match(error.message, /backward compatible/)
    return true
  })
})

test('Schemas.prepare - an id that another process registered is fetched; an unknown one is a problem', async () => {
  const id = await open().register('registry-event', topics.registryEvents.name)
  const decoder = new Decoder('registry-event')
  const event = {
    modelName: 'churn-default',
    alias: 'champion',
    modelVersion: '1',
    artifactLocation: 's3://bucket/prefix',
    files: [],
    epoch: 1,
    origin: 'reconcile',
  }
  const known = new Encoder('registry-event', id).encode(event)
  const unknown = new Encoder('registry-event', 987_654).encode(event)
  const schemas = open()
  await schemas.prepare(decoder, [known, unknown])
  assert.deepEqual(JSON.parse(JSON.stringify(decoder.decode(known))), event)
  const problem = decoder.decode(unknown)
  assert.ok(problem instanceof DecodeProblem)
  assert.equal(problem.reason, 'unknown-schema-id')
})

test('Schemas.prepare - while the registry is away nothing is called poison', async () => {
  const value = new Encoder('player-activity', 876_543).encode({
    eventId: 'e',
    kind: 'deposit',
    playerId: 'p',
    occurredAt: 1,
    market: 'gb',
    acquisitionSource: null,
    product: null,
    stake: null,
    payout: null,
    odds: null,
    inPlay: null,
    amount: 1,
  })
  const decoder = new Decoder('player-activity')
  const schemas = open()
  await stack.servers.registry.stop()
  await assert.rejects(schemas.prepare(decoder, [value]), RegistryUnavailable)
  await assert.rejects(
    schemas.register('player-activity', topics.playerActivity.name),
    RegistryUnavailable,
  )
  assert.equal(decoder.knows(876_543), false)
})
