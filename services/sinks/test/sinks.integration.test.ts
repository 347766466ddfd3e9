// Do scores reach a real PostgreSQL once, whatever is repeated, refused or restarted?
import { FatalError, Health, TransientError, createMetrics, type Log } from '@churnstream/runtime'
import { startStack, type Stack } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import {
  createSinkMetrics,
  createSinkProcessor,
  migrate,
  openDatabase,
  prepareDatabase,
  readMigrations,
  watchDatabase,
  type Database,
} from '../src/index.ts'
import { asOfMs, received } from '../src/testing.ts'

const quiet = () => undefined
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-sinks-'))
let stack: Stack
let database: Database

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['postgres'] })
  database = open()
})
after(async () => {
  await database[Symbol.asyncDispose]()
  await stack[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})
beforeEach(async () => {
  await database.query('DROP VIEW IF EXISTS latest_scores')
  await database.query('DROP TABLE IF EXISTS score_history, sinks_migrations')
})

function open(statementTimeoutMs = 5_000): Database {
  const url = stack.postgres.url('churnstream')
  return openDatabase({ url, maxConnections: 4, statementTimeoutMs, log })
}

function processor(health = new Health()) {
  const metrics = createMetrics('sinks')
  const created = createSinkProcessor(database, createSinkMetrics(metrics), health)
  return { process: created.process.bind(created), registry: metrics.registry }
}

const rowsOf = async (statement: string, values: unknown[] = []) =>
  (await database.query(statement, values)).rows

test('process - every column holds what the score says', async () => {
  await migrate(database)
  await processor().process(4, [received(7)])
  const [row] = await rowsOf(
    'SELECT *, extract(epoch FROM as_of) * 1000 AS as_of_ms FROM score_history',
  )
  assert.ok(row)
  assert.ok(row['stored_at'] instanceof Date)
  assert.equal(Number(row['as_of_ms']), asOfMs + 7_000)
  const { stored_at, as_of, as_of_ms, ...rest } = row
  void [stored_at, as_of, as_of_ms]
  const { value } = received(7)
  assert.deepEqual(rest, {
    player_id: 'p-7',
    market: 'us-nj',
    score: 0.25,
    band: 'watch',
    model_name: 'churn-default',
    model_version: '3',
    model_epoch: '5',
    trigger: 'activity',
    cause_event_id: 'e-7',
    cause_topic: value.causeTopic,
    cause_partition: 2,
    cause_offset: '1007',
    vector_partition: 2,
    vector_offset: '2007',
    score_partition: 4,
    trace_id: null,
    score_offset: '3007',
  })
})

test('process - the same batch twice gives the same rows', async () => {
  await migrate(database)
  const { process, registry } = processor()
  const batch = Array.from({ length: 1_000 }, (_, n) => received(n))
  await process(0, batch)
  const before = await rowsOf('SELECT * FROM score_history ORDER BY cause_offset')
  const outcomes = await process(0, [...batch.slice(500), received(1_000)])
  assert.ok(outcomes.every(({ kind }) => kind === 'emit'))
  const after = await rowsOf('SELECT * FROM score_history ORDER BY cause_offset')
  assert.equal(before.length, 1_000)
  assert.equal(after.length, 1_001)
  assert.deepEqual(after.slice(0, 1_000), before)
  const counted = await registry.metrics()
  assert.match(counted, /sink_rows_total\{result="stored",\S*\} 1001/)
  assert.match(counted, /sink_rows_total\{result="already-there",\S*\} 500/)
})

test('process - a poison row is set aside with the reason, the rest of its batch is stored', async () => {
  await migrate(database)
  const batch = Array.from({ length: 300 }, (_, n) => received(n))
  batch[17] = received(17, { causeEventId: 'e\u0000' })
  batch[250] = received(250, { asOf: Number.MIN_SAFE_INTEGER })
  const outcomes = await processor().process(0, batch)
  const dead = outcomes.flatMap((outcome, at) =>
    outcome.kind === 'dead-letter' ? [{ at, ...outcome }] : [],
  )
  assert.deepEqual(
    dead.map(({ at, reason }) => [at, reason]),
    [
      [17, 'refused-by-database'],
      [250, 'refused-by-database'],
    ],
  )
  assert.match(dead[0]?.detail ?? '', /^22021 .*0x00/)
  assert.match(dead[1]?.detail ?? '', /^22008 /)
  const [{ count } = {}] = await rowsOf('SELECT count(*)::int AS count FROM score_history')
  assert.equal(count, 298)
})

test('process - the trace of a sampled score stands in its row, and null in all others', async () => {
  await migrate(database)
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  await processor().process(0, [received(0), { ...received(1), trace }])
  assert.deepEqual(await rowsOf('SELECT trace_id FROM score_history ORDER BY cause_offset'), [
    { trace_id: null },
    { trace_id: trace.traceId },
  ])
})

test('latest_scores - the newest as_of of a player, then the highest cause offset', async () => {
  await migrate(database)
  await processor().process(0, [
    received(0, { playerId: 'a', asOf: asOfMs, causeOffset: 10, score: 0.1 }),
    received(0, { playerId: 'a', asOf: asOfMs + 5, causeOffset: 11, score: 0.2 }),
    received(0, { playerId: 'a', asOf: asOfMs + 5, causeOffset: 12, score: 0.3 }),
    received(0, { playerId: 'a', asOf: asOfMs + 1, causeOffset: 13, score: 0.4 }),
    received(0, { playerId: 'b', asOf: asOfMs - 5, causeOffset: 13, score: 0.5 }),
  ])
  assert.deepEqual(await rowsOf('SELECT player_id, score FROM latest_scores ORDER BY player_id'), [
    { player_id: 'a', score: 0.3 },
    { player_id: 'b', score: 0.5 },
  ])
  const [one] = await rowsOf('SELECT score FROM latest_scores WHERE player_id = $1', ['a'])
  assert.deepEqual(one, { score: 0.3 })
})

test('migrate - two instances at once apply each migration once', async () => {
  await using other = open()
  const applied = await Promise.all([migrate(database), migrate(other), migrate(other)])
  assert.deepEqual(
    applied.flat(),
    readMigrations().map(({ name }) => name),
  )
  assert.deepEqual(await migrate(database), [])
})

test('migrate - a changed applied migration is fatal and says so', async () => {
  await migrate(database)
  const changed = readMigrations().map(({ name, sql }) => ({ name, sql: `${sql}\n-- changed` }))
  await assert.rejects(migrate(database, changed), (error: Error) => {
    assert.ok(error instanceof FatalError)
    assert.match(error.message, /0001-\S+ was applied .*never changes/)
    return true
  })
})

test('migrate - a migration that fails leaves nothing behind', async () => {
  const broken = [...readMigrations(), { name: '9999-broken.sql', sql: 'CREATE TABL x ()' }]
  await assert.rejects(migrate(database, broken), FatalError)
  assert.deepEqual(await rowsOf(`SELECT to_regclass('score_history') AS found`), [{ found: null }])
  assert.equal((await migrate(database)).length, readMigrations().length)
})

test('a statement that waits too long - is trouble of the world', async () => {
  await migrate(database)
  await using impatient = open(100)
  await database.transaction(async (session) => {
    await session.query('LOCK TABLE score_history')
    await assert.rejects(impatient.query('SELECT count(*) FROM score_history'), TransientError)
  })
})

test('the database stops and comes back - the batch is repeated, readiness follows', async () => {
  await migrate(database)
  const health = new Health()
  const { process } = processor(health)
  await process(0, [received(0)])
  const controller = new AbortController()
  const watching = watchDatabase(database, health, controller.signal, 20)
  await stack.servers.postgres.stop()
  try {
    await assert.rejects(async () => process(0, [received(1)]), TransientError)
    assert.match(String(health.state.waiting['database']), /ECONNREFUSED|terminated/)
    // An instance that starts now waits, and says for what.
    const starting = new Health()
    const prepared = prepareDatabase(database, starting, log, controller.signal)
    while (!/PostgreSQL/.test(starting.state.waiting['database'] ?? '')) {
      await new Promise(setImmediate)
    }
    await stack.servers.postgres.start()
    await prepared
    assert.equal(starting.state.ready, true)
  } finally {
    controller.abort()
    await watching
  }
  await process(0, [received(1)])
  assert.equal(health.state.ready, true)
  const [{ count } = {}] = await rowsOf('SELECT count(*)::int AS count FROM score_history')
  assert.equal(count, 2)
})
