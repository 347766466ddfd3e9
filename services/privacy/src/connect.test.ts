// Does the command know players as the system does?
import { FatalError } from '@churnstream/runtime'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect } from './connect.ts'

const folder = mkdtempSync(join(tmpdir(), 'churnstream-connect-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Nobody listens there: nothing is connected before it is asked for. */
const env = {
  MLFLOW_TRACKING_URI: 'http://127.0.0.1:9',
  KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:9',
  SCHEMA_REGISTRY_URL: 'http://127.0.0.1:9',
  DATABASE_URL: 'postgresql://eraser@127.0.0.1:9/churnstream',
  S3_BUCKET: 'objects',
}

test('connect - a player is the pseudonym that ingestion makes, or the id where it makes none', async () => {
  const key = 'k'.repeat(32)
  const PLAYER_ID_KEY_FILE = join(folder, 'key')
  writeFileSync(PLAYER_ID_KEY_FILE, `${key}\n`)
  await using plain = connect(env, folder, [])
  await using guarded = connect({ ...env, PLAYER_ID_KEY_FILE }, folder, [])
  assert.equal(plain.toPlayerId('ada'), 'ada')
  assert.equal(guarded.toPlayerId('ada'), createHmac('sha256', key).update('ada').digest('hex'))
  assert.deepEqual(plain.objects.locations, ['s3://objects'])
})

test('connect - a place that a proof must read has to be named', () => {
  const { S3_BUCKET: _, ...without } = env
  assert.throws(() => connect(without, folder, []), FatalError)
  assert.throws(() => connect({}, folder, []), FatalError)
})
