// May each role of the database what it must, and nothing else?
import { FatalError, Health, type Log } from '@churnstream/runtime'
import {
  insertScores,
  openDatabase,
  prepareDatabase,
  toColumns,
  type Database,
  type ScoreRow,
} from '@churnstream/sinks'
import { received } from '@churnstream/sinks/testing'
import { startStack, type Stack } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { loadBatch, publishBatch } from '../src/index.ts'

const roles = ['migrator', 'sink_writer', 'batch_writer', 'reader', 'auditor', 'eraser'] as const
type Role = (typeof roles)[number]

const quiet = () => undefined
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-roles-'))
const rolesFile = new URL('../../sinks/roles.sql', import.meta.url)
const migrateScript = fileURLToPath(new URL('../src/migrate-main.ts', import.meta.url))
let stack: Stack
let owner: string

/** As a role, in the database of scores unless told. */
function urlOf(role: Role, database = 'guarded'): string {
  const url = new URL(owner)
  url.username = role
  url.password = `password-of-${role}`
  url.pathname = database
  return url.href
}

async function asAdmin(database: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: stack.postgres.url(database) })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function migrateAs(role: Role): Promise<void> {
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', DATABASE_URL: urlOf(role) }
  await promisify(execFile)(process.execPath, [migrateScript], { env })
}

const open = (role: Role): Database =>
  openDatabase({ url: urlOf(role), maxConnections: 2, statementTimeoutMs: 5_000, log })

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['postgres'] })
  owner = stack.postgres.url('churnstream')
  await asAdmin('postgres', 'CREATE DATABASE guarded')
  const file = readFileSync(rolesFile, 'utf8')
  // Twice: it is run again whenever it changes.
  await asAdmin('guarded', file, file)
  await asAdmin(
    'guarded',
    ...roles.map((role) => `ALTER ROLE ${role} PASSWORD 'password-of-${role}'`),
  )
})
after(async () => {
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

test('prepareDatabase - without tables, who may make none ends and says who may', async () => {
  await using database = open('sink_writer')
  await assert.rejects(
    prepareDatabase(database, new Health(), log, AbortSignal.timeout(10_000)),
    (error) => error instanceof FatalError && /42501.*npm run migrate/.test(error.message),
  )
})

function row(n: number): ScoreRow {
  const { value: score, offset } = received(n, { playerId: 'ada', market: 'gb' })
  return { score, partition: 2, offset, traceId: null }
}

async function* batchRows() {
  yield [
    {
      playerId: 'ada',
      asOf: Date.UTC(2026, 10, 1),
      market: 'gb',
      score: 0.25,
      band: 'watch',
      modelName: 'churn-default',
      modelVersion: '3',
      source: 'rows.csv',
      row: 0,
    },
  ]
}

test('roles - each does its work', async () => {
  await migrateAs('migrator')
  await migrateAs('migrator')
  await using sinks = open('sink_writer')
  await prepareDatabase(sinks, new Health(), log, AbortSignal.timeout(10_000))
  assert.equal((await sinks.query(insertScores, toColumns([row(1), row(2)]))).count, 2)
  assert.equal((await sinks.query(insertScores, toColumns([row(1)]))).count, 0)

  await using batches = open('batch_writer')
  const counts = { rowsIn: 1, scored: 1, rejected: 0 }
  const model = { modelName: 'churn-default', modelVersion: '3' }
  const batch = { slot: 'weekly/gb', inputSha256: 'a'.repeat(64), ...model, ...counts }
  const { batchId } = await loadBatch(batches, batch, batchRows())
  assert.equal((await publishBatch(batches, batchId)).rows, 1)

  await using reader = open('reader')
  const latest = await reader.query('SELECT score FROM latest_scores')
  assert.deepEqual(latest.rows, [{ score: 0.25 }])
  assert.equal((await reader.query('SELECT FROM published_scores')).count, 1)
  await using auditor = open('auditor')
  assert.equal((await auditor.query('SELECT FROM score_history')).count, 2)
  await using eraser = open('eraser')
  assert.equal((await eraser.query("DELETE FROM score_history WHERE player_id = 'ada'")).count, 2)
  assert.equal((await eraser.query("DELETE FROM batch_scores WHERE player_id = 'ada'")).count, 1)
})

const insert = "INSERT INTO score_history (player_id) VALUES ('ada')"
const forbidden: Record<Role, readonly string[]> = {
  migrator: ['CREATE ROLE mallory', 'CREATE DATABASE elsewhere', "COPY batches TO '/tmp/batches'"],
  sink_writer: [
    'UPDATE score_history SET score = 0',
    'DELETE FROM score_history',
    'TRUNCATE score_history',
    'DROP TABLE score_history',
    'ALTER TABLE score_history ADD COLUMN more text',
    'CREATE TABLE mine (a text)',
    'SELECT * FROM batch_scores',
    'INSERT INTO sinks_migrations VALUES (1, 2)',
    'CREATE ROLE mallory',
  ],
  batch_writer: [
    'SELECT * FROM score_history',
    insert,
    'UPDATE batch_scores SET score = 0',
    'DELETE FROM batch_scores',
    'DELETE FROM published_batches',
    'CREATE TABLE mine (a text)',
  ],
  reader: [
    'SELECT * FROM score_history',
    'SELECT * FROM batch_scores',
    insert,
    'DELETE FROM batch_scores',
    'CREATE TABLE mine (a text)',
  ],
  auditor: [insert, 'UPDATE batches SET rows_in = 0', 'DELETE FROM score_history'],
  eraser: [
    insert,
    'UPDATE score_history SET score = 0',
    'DELETE FROM batches',
    'DELETE FROM published_batches',
    'TRUNCATE score_history',
    'DROP VIEW latest_scores',
  ],
}

/** SQLSTATE; undefined when it was done. What reads only by default may be told otherwise. */
async function codeOf(role: Role, statement: string): Promise<string | undefined> {
  const client = new Client({ connectionString: urlOf(role) })
  await client.connect()
  try {
    await client.query('SET default_transaction_read_only = off')
    await client.query(statement)
    return undefined
  } catch (error) {
    return (error as { code?: string }).code
  } finally {
    await client.end()
  }
}

const insufficientPrivilege = '42501'

for (const role of roles) {
  test(`${role} - is refused what its work does not need, and the databases of others`, async () => {
    const answers = await Promise.all(
      forbidden[role].map(async (statement) => [statement, await codeOf(role, statement)]),
    )
    assert.deepEqual(
      answers,
      forbidden[role].map((statement) => [statement, insufficientPrivilege]),
    )
    for (const database of ['mlflow', 'dagster', 'churnstream']) {
      const client = new Client({ connectionString: urlOf(role, database) })
      await assert.rejects(client.connect(), { code: insufficientPrivilege }, database)
    }
  })
}

test('databases - the owner of one does not come into another', async () => {
  const url = new URL(stack.postgres.url('mlflow'))
  url.pathname = 'dagster'
  const client = new Client({ connectionString: url.href })
  await assert.rejects(client.connect(), { code: insufficientPrivilege })
})

test('roles - have their time-outs, and who reads only reads by default', async () => {
  const shown: [Role, string, string][] = [
    ['sink_writer', 'statement_timeout', '30s'],
    ['sink_writer', 'lock_timeout', '5s'],
    ['reader', 'default_transaction_read_only', 'on'],
    ['eraser', 'idle_in_transaction_session_timeout', '1min'],
  ]
  for (const [role, setting, value] of shown) {
    const client = new Client({ connectionString: urlOf(role) })
    await client.connect()
    const { rows } = await client.query(`SHOW ${setting}`)
    await client.end()
    assert.deepEqual(rows, [{ [setting]: value }], role)
  }
})
