// Does only the pseudonym of a player leave?
import { partitionOf } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openPseudonyms } from './pseudonym.ts'
import { bet, createRig, decodeActivity } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-pseudonyms-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function keyed(key: string): string {
  const file = join(folder, 'key')
  writeFileSync(file, key)
  return file
}

test('openPseudonyms - HMAC-SHA256 in hex, as anybody with the key can compute it', () => {
  const toPseudonym = openPseudonyms(keyed(`${'k'.repeat(32)}\n`))
  // printf %s ada | openssl dgst -sha256 -hmac "$(cat key)"
  assert.equal(
    toPseudonym('ada'),
    'a8b373bd9a0f9800c50bbfebdb7cf07984ccd62a4ee99e1570b3f601c7fb713f',
  )
  assert.notEqual(openPseudonyms(keyed('l'.repeat(32)))('ada'), toPseudonym('ada'))
})

test('openPseudonyms - a key that is short or missing is refused', () => {
  assert.throws(() => openPseudonyms(keyed('short')), /PLAYER_ID_KEY_FILE/)
  assert.throws(() => openPseudonyms(join(folder, 'none')), /PLAYER_ID_KEY_FILE: ENOENT/)
})

test('POST /v1/events - with a key the record is of the pseudonym, key, partition and value', async () => {
  const toPseudonym = openPseudonyms(keyed('k'.repeat(32)))
  await using rig = await createRig({ toPseudonym })
  const answer = await rig.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(bet({ playerId: 'ada-lovelace' })),
  })
  assert.equal(answer.statusCode, 202)
  const [record] = rig.broker.records
  const pseudonym = toPseudonym('ada-lovelace')
  assert.equal(record?.key, pseudonym)
  assert.equal(record?.partition, partitionOf(pseudonym, topics.playerActivity.partitions))
  assert.equal(decodeActivity(record).playerId, pseudonym)
  assert.ok(!JSON.stringify(record).includes('ada-lovelace'))
  assert.ok(!record?.value?.includes('ada-lovelace'))
})
