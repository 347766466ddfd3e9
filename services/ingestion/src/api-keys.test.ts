// Is a caller known by its key, and held to what the key may?
import { FatalError } from '@churnstream/runtime'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeApiKey, openApiKeys, type ApiKeyFile, type KeyEntry } from './api-keys.ts'
import { bet, createRig, decodeActivity, quietLog, type Rig } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-keys-'))
const file = join(folder, 'keys.json')
after(() => rmSync(folder, { recursive: true, force: true }))

function open(entries: readonly KeyEntry[]): ApiKeyFile {
  write(entries)
  // Read again by hand only.
  return openApiKeys({ file, reloadMs: 3_600_000, log: quietLog })
}
const write = (keys: readonly KeyEntry[]) => writeFileSync(file, JSON.stringify({ keys }))

const post = (rig: Rig, key: string | undefined, ...events: object[]) =>
  rig.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    payload: JSON.stringify({ events }),
  })

const nj = makeApiKey('feed-nj', { markets: ['us-nj'] })
const all = makeApiKey('all')

test('POST /v1/events - with a key the file knows an event is written', async () => {
  using keys = open([nj.entry, all.entry])
  await using rig = await createRig({ keys })
  assert.equal((await post(rig, nj.key, bet())).statusCode, 202)
  assert.equal((await post(rig, all.key, bet({ market: 'gb' }))).statusCode, 202)
  assert.equal(rig.broker.records.length, 2)
})

const [, secret = ''] = nj.key.split('.')
for (const [what, key] of [
  ['no key', undefined],
  ['an unknown id', `nobody.${secret}`],
  ['the secret of another', `all.${secret}`],
  ['a secret that is cut', nj.key.slice(0, -1)],
  ['a secret that goes on', `${nj.key}a`],
  ['its digest instead of the secret', `feed-nj.${nj.entry.sha256}`],
  ['no secret', 'feed-nj.'],
  ['something else', '%00"<script>'],
] as const) {
  test(`POST /v1/events - ${what} is answered 401, and the body is not read`, async () => {
    using keys = open([nj.entry, all.entry])
    await using rig = await createRig({ keys })
    const answer = await post(rig, key, bet())
    assert.equal(answer.statusCode, 401)
    assert.equal(answer.headers['www-authenticate'], 'Bearer')
    assert.equal(answer.json().reason, 'unknown-key')
    if (key) assert.ok(!answer.body.includes(key))
    assert.equal(rig.broker.sends.length, 0)
  })
}

test('POST /v1/events - events of other markets are rejected; of nothing else, the answer is 403', async () => {
  using keys = open([nj.entry])
  await using rig = await createRig({ keys })
  const foreign = bet({ eventId: 'e-2', market: 'gb' })
  const both = await post(rig, nj.key, bet(), foreign)
  assert.equal(both.statusCode, 202)
  const [first, second] = both.json().results
  assert.equal(first.status, 'accepted')
  assert.deepEqual([second.status, second.reason], ['rejected', 'market-not-allowed'])
  const none = await post(rig, nj.key, foreign)
  assert.equal(none.statusCode, 403)
  assert.ok(!none.json().results[0].message.includes('gb'))
  assert.deepEqual(
    rig.broker.records.map((record) => decodeActivity(record).market),
    ['us-nj'],
  )
})

test('POST /v1/events - a key that sends faster than it may is told when to come again', async () => {
  const slow = makeApiKey('slow', { eventsPerSecond: 0.001, burstEvents: 2 })
  using keys = open([slow.entry, all.entry])
  await using rig = await createRig({ keys })
  const three = ['e-1', 'e-2', 'e-3'].map((eventId) => bet({ eventId }))
  assert.equal((await post(rig, slow.key, ...three)).statusCode, 202)
  const answer = await post(rig, slow.key, bet())
  assert.equal(answer.statusCode, 429)
  assert.equal(answer.json().reason, 'key-rate')
  assert.ok(Number(answer.headers['retry-after']) > 1_900)
  assert.equal((await post(rig, all.key, bet())).statusCode, 202)
  assert.equal(rig.broker.records.length, 4)
})

test('openApiKeys - a key is added and taken away without a restart', async () => {
  using keys = open([nj.entry])
  await using rig = await createRig({ keys })
  assert.equal((await post(rig, all.key, bet())).statusCode, 401)
  write([nj.entry, all.entry])
  keys.reload()
  assert.equal((await post(rig, all.key, bet())).statusCode, 202)
  assert.equal((await post(rig, nj.key, bet())).statusCode, 202)
  write([all.entry])
  keys.reload()
  assert.equal((await post(rig, nj.key, bet())).statusCode, 401)
})

test('openApiKeys - the file is read again by itself', async () => {
  write([nj.entry])
  using keys = openApiKeys({ file, reloadMs: 10, log: quietLog })
  write([all.entry])
  while (keys.identify(`Bearer ${all.key}`) === undefined) await new Promise(setImmediate)
  assert.equal(keys.identify(`Bearer ${nj.key}`), undefined)
})

test('openApiKeys - a file that is broken later leaves the keys as they were', () => {
  using keys = open([nj.entry])
  writeFileSync(file, '{"keys": [')
  keys.reload()
  rmSync(file)
  keys.reload()
  assert.equal(keys.identify(`Bearer ${nj.key}`)?.id, 'feed-nj')
})

for (const [what, text] of [
  ['no JSON', 'all'],
  ['no keys', '{"keys":[]}'],
  ['a key in the clear', JSON.stringify({ keys: [{ id: 'a', key: 'secret' }] })],
  ['an id twice', JSON.stringify({ keys: [nj.entry, nj.entry] })],
] as const) {
  test(`openApiKeys - ${what} at the start is refused, and no secret told`, () => {
    writeFileSync(file, text)
    assert.throws(
      () => openApiKeys({ file, reloadMs: 1_000, log: quietLog }),
      (error) => error instanceof FatalError && !error.message.includes('secret'),
    )
  })
}
