// Do scores and model versions reach the warehouse once, whatever is away, killed or unreadable?
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  DecodeProblem,
  Decoder,
  Encoder,
  RegistryUnavailable,
  Schemas,
  schemaText,
  typeOf,
  type ChurnScore,
} from '@churnstream/schemas'
import { createKafkajsKafka, createLog, type Kafka, type Producer } from '@churnstream/runtime'
import { openDatabase, type Database } from '@churnstream/sinks'
import { received } from '@churnstream/sinks/testing'
import {
  clusterTopics,
  columnsOf,
  connectorDeadLetters,
  icebergControlTopic,
  topics,
  warehouse,
  warehouseConnectors,
  warehouseTables,
} from '@churnstream/topology'
import {
  freePorts,
  startStack,
  tailOf,
  type OwnedProcess,
  type Stack,
} from '@churnstream/topology/local'
import { Kafka as Kafkajs } from 'kafkajs'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createConnect, type Connect } from '../src/index.ts'

// The worker inherits it, and must not care.
process.env['TZ'] = 'Asia/Tokyo'

const { scoreHistory, playerScores } = warehouseTables
/** Several times what Connect waits before it asks a registry again (3 s), or a database (2 s). */
const outageMs = 10_000
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-warehouse-'))
const log = createLog('warehouse-test', 'silent')
/**
 * Twice what it may take where nothing else runs: a worker that was killed is missed for 10 s, a
 * commit begins each 5 s, is given up after 30 s when nobody answers, and an Iceberg task that starts
 * may ask twice in 10 s where to begin.
 */
const boundMs = 120_000
const mainFile = join(import.meta.dirname, '..', 'src', 'main.ts')

let stack: Stack
let kafka: Kafka
let producer: Producer
let database: Database
let scores: Encoder<'churn-score'>
let events: Encoder<'registry-event'>
let connect: Connect
let keeper: OwnedProcess

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['kafka', 's3'], connect: true })
  kafka = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'warehouse-test', log })
  await kafka.ensureTopics(clusterTopics())
  await separateIds()
  const schemas = new Schemas({ url: stack.registry.url })
  scores = new Encoder('churn-score', await registered(schemas, 'churn-score'))
  events = new Encoder('registry-event', await registered(schemas, 'registry-event'))
  producer = await kafka.openProducer()
  database = openDatabase({
    url: stack.postgres.url(warehouse),
    maxConnections: 2,
    statementTimeoutMs: 10_000,
    log,
  })
  connect = createConnect(stack.connect.url)
  keeper = await startKeeper()
  await refuseIcebergsCommits()
})
after(async () => {
  await database?.[Symbol.asyncDispose]()
  await producer?.close()
  await kafka?.close()
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + boundMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${boundMs} ms: ${what}`)
    await delay(50)
  }
}

/** As if the database were away for each of Iceberg's first commits, and for nothing else. */
async function refuseIcebergsCommits(): Promise<void> {
  await until("Iceberg's catalogue", async () => {
    const [row] = await rowsOf(`SELECT to_regclass('iceberg_tables') IS NOT NULL AS found`)
    return row?.['found'] === true
  })
  await database.query(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'no commit yet'; END $$`)
  await database.query(`CREATE TRIGGER refuse BEFORE UPDATE ON iceberg_tables
    EXECUTE FUNCTION public.refuse()`)
}

async function startKeeper(): Promise<OwnedProcess> {
  const [port = 0] = await freePorts(1)
  const child = stack.spawn({
    name: 'warehouse',
    command: process.execPath,
    args: [mainFile],
    logFile: join(dataDir, 'logs', 'warehouse.log'),
    env: {
      CONNECT_URL: stack.connect.url,
      CONNECT_SECRETS_DIR: stack.connect.secretsDir,
      DATABASE_URL: stack.postgres.url(warehouse),
      CHECK_INTERVAL_MS: '500',
      HTTP_PORT: String(port),
    },
  })
  await until('the connectors run', async () => {
    if (child.hasExited) throw new Error(tailOf(child.logFile))
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
    return response?.ok === true
  })
  return child
}

/** The same content under several names: ids of content and ids of versions part. */
async function separateIds(): Promise<void> {
  for (const subject of ['spare-1', 'spare-2', 'spare-3']) {
    await post(`/subjects/${subject}/versions`, { schema: schemaText('registry-event') })
  }
}

const registered = (schemas: Schemas, record: 'churn-score' | 'registry-event') =>
  schemas.register(
    record,
    (record === 'churn-score' ? topics.churnScores : topics.registryEvents).name,
  )

async function post(path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${stack.registry.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.ok(response.ok, await response.clone().text())
  return response.json()
}

let made = 0
/** Of a player's own partition, each with a cause of its own. */
const scoreOf = (playerId: string, change: Partial<ChurnScore> = {}): ChurnScore =>
  received(made++, { playerId, ...change }).value

const partitionOf = (playerId: string): number =>
  Buffer.from(playerId).reduce((sum, byte) => sum + byte, 0) % topics.churnScores.partitions

async function sendValue(playerId: string, value: Buffer | null): Promise<void> {
  const topic = topics.churnScores.name
  await producer.send([{ topic, partition: partitionOf(playerId), key: playerId, value }])
}

async function sendScores(values: readonly ChurnScore[]): Promise<void> {
  const topic = topics.churnScores.name
  const records = values.map((value) => ({
    topic,
    partition: partitionOf(value.playerId),
    key: value.playerId,
    value: scores.encode(value),
  }))
  await producer.send(records)
}

const scoresOf = (prefix: string, count: number, players = 50): ChurnScore[] =>
  Array.from({ length: count }, (_, n) => scoreOf(`${prefix}-${n % players}`))

const rowsOf = async (statement: string, values: unknown[] = []) =>
  (await database.query(statement, values)).rows

/** Rows of the players whose names begin so. */
async function countOf(table: string, prefix: string): Promise<number> {
  const statement = `SELECT count(*)::int AS count FROM ${warehouse}.${table} WHERE player_id LIKE $1`
  return (await rowsOf(statement, [`${prefix}%`]))[0]?.['count'] as number
}

/** Each cause of those scores once, and each player's last score. */
async function untilWhole(prefix: string, sent: readonly ChurnScore[]): Promise<void> {
  await until(`${sent.length} rows of ${prefix}`, async () => {
    return (await countOf(scoreHistory.name, prefix)) === sent.length
  })
  const newest = new Map(sent.map(({ playerId, causeEventId }) => [playerId, causeEventId]))
  await until(`the newest scores of ${prefix}`, async () => {
    const rows = await rowsOf(
      `SELECT player_id, cause_event_id FROM ${warehouse}.player_scores WHERE player_id LIKE $1`,
      [`${prefix}%`],
    )
    return (
      rows.length === newest.size &&
      rows.every((row) => newest.get(row['player_id'] as string) === row['cause_event_id'])
    )
  })
}

async function lettersOf(table: Parameters<typeof connectorDeadLetters>[0]) {
  const letters = []
  for await (const records of kafka.read(connectorDeadLetters(table), 0)) letters.push(...records)
  return letters
}

/** Whether a control record names a file: its rows come from no topic again. */
async function hasIcebergWritten(): Promise<boolean> {
  for await (const records of kafka.read(icebergControlTopic, 0)) {
    if (records.some(({ value }) => value?.includes('s3://'))) return true
  }
  return false
}

async function untilAllRun(): Promise<void> {
  await until('every task runs', async () => {
    const states = await Promise.all(
      warehouseConnectors().map(async ({ name }) => {
        const { connector, tasks } = await connect.status(name)
        return [connector, ...tasks].map(({ state }) => state)
      }),
    )
    return states.flat().every((state) => state === 'RUNNING')
  })
}

test('tables - have every column that the connectors write', async () => {
  for (const table of Object.values(warehouseTables)) {
    const rows = await rowsOf(
      'SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2',
      [warehouse, table.name],
    )
    const names = rows.map((row) => row['column_name'] as string)
    assert.deepEqual(names.toSorted(), [...columnsOf(table), 'stored_at'].toSorted(), table.name)
  }
})

test('scores - every field as it was written, times too, in a worker whose zone is not UTC', async () => {
  const score = scoreOf('exact', { score: 0.1 + 0.2, modelEpoch: 2 ** 40 })
  await sendScores([score])
  await until('a row', async () => (await countOf(scoreHistory.name, 'exact')) === 1)
  const [row] = await rowsOf(
    `SELECT *, extract(epoch FROM as_of) * 1000 AS as_of_ms FROM ${warehouse}.score_history
      WHERE player_id = 'exact'`,
  )
  assert.equal(Number(row?.['as_of_ms']), score.asOf)
  assert.equal(row?.['score'], 0.1 + 0.2)
  assert.equal(row?.['model_epoch'], String(2 ** 40))
  assert.equal(row?.['cause_event_id'], score.causeEventId)
  assert.equal(row?.['record_partition'], partitionOf('exact'))
})

test('scores - the same cause twice is one row, and a player keeps the newest score', async () => {
  const [first, second] = [
    scoreOf('twice', { band: 'low' }),
    scoreOf('twice', { band: 'critical' }),
  ]
  const ids = Array.from({ length: 100 }, (_, n) => `after-${n}`)
  // Behind them, in the same partition: there is a task for each.
  const after = ids.find((id) => partitionOf(id) === partitionOf('twice')) as string
  await sendScores([first, second, first, scoreOf(after)])
  await until('the last row', async () => (await countOf(playerScores.name, after)) === 1)
  await until('two rows', async () => (await countOf(scoreHistory.name, 'twice')) === 2)
  const rows = await rowsOf(`SELECT band FROM ${warehouse}.player_scores WHERE player_id = 'twice'`)
  assert.deepEqual(rows, [{ band: 'critical' }])
})

test('scores - of an aborted transaction are no rows', async () => {
  const client = new Kafkajs({ brokers: stack.kafka.brokers })
  const aborting = client.producer({ transactionalId: 'aborts', maxInFlightRequests: 1 })
  await aborting.connect()
  const transaction = await aborting.transaction()
  const value = scores.encode(scoreOf('aborted'))
  const message = { key: 'aborted', value, partition: 0 }
  await transaction.send({ topic: topics.churnScores.name, messages: [message] })
  await transaction.abort()
  await aborting.disconnect()
  const behind = scores.encode(scoreOf('behind'))
  await producer.send([
    { topic: topics.churnScores.name, partition: 0, key: 'behind', value: behind },
  ])
  for (const { name } of [scoreHistory, playerScores]) {
    await until('what followed', async () => (await countOf(name, 'behind')) === 1)
    assert.equal(await countOf(name, 'aborted'), 0)
  }
})

test('models - history by epoch; an alias follows its newest event and goes with its tombstone', async () => {
  const topic = topics.registryEvents.name
  const key = 'churn-us-nj@champion'
  const eventOf = (epoch: number) => ({
    modelName: 'churn-us-nj',
    alias: 'champion',
    modelVersion: String(epoch),
    artifactLocation: `s3://models/${epoch}`,
    files: [{ path: 'model.onnx', sha256: 'a'.repeat(64), sizeBytes: 1 }],
    epoch,
    origin: 'reconcile',
  })
  const send = (value: Buffer | null) => producer.send([{ topic, partition: 0, key, value }])
  const versions = async () =>
    (await rowsOf(`SELECT model_version FROM ${warehouse}.model_aliases`)).map(
      (row) => row['model_version'],
    )
  await send(events.encode(eventOf(1)))
  await send(events.encode(eventOf(2)))
  await until('version 2', async () => (await versions()).join() === '2')
  await send(null)
  await until('no version', async () => (await versions()).length === 0)
  await send(events.encode(eventOf(3)))
  await until('version 3', async () => (await versions()).join() === '3')
  await until('three epochs', async () => {
    const rows = await rowsOf(`SELECT epoch FROM ${warehouse}.model_history ORDER BY epoch`)
    return rows.map((row) => row['epoch']).join() === '1,2,3'
  })
})

test('schema ids - are those of the content, where ids of versions say something else', async () => {
  const { id } = (await post(`/subjects/${topics.churnScores.name}-value`, {
    schema: schemaText('churn-score'),
  })) as { id: number }
  const base = stack.registry.url.replace('/ccompat/v7', '/registry/v2')
  const nameOf = async (kind: string): Promise<string | undefined> => {
    const response = await fetch(`${base}/ids/${kind}/${id}`)
    return ((await response.json()) as { name?: string }).name
  }
  assert.equal(await nameOf('contentIds'), 'ChurnScore')
  assert.equal(await nameOf('globalIds'), 'RegistryEvent')
})

test('poison - goes to the dead letters with its reason, and what follows is written', async () => {
  const good = scores.encode(scoreOf('poison-good'))
  const poison: [string, Buffer][] = [
    ['bad magic', Buffer.concat([Buffer.from([7]), good.subarray(1)])],
    ['unknown id', Buffer.concat([Buffer.from([0, 0, 99, 99, 99]), good.subarray(5)])],
    ['truncated', good.subarray(0, good.length - 9)],
    ['too short', good.subarray(0, 3)],
    ['a NUL', scores.encode(scoreOf('poison-nul', { causeEventId: 'e\u0000' }))],
  ]
  for (const [, value] of poison) await sendValue('poison-good', value)
  await sendValue('poison-good', good)
  await until('the good one', async () => (await countOf(scoreHistory.name, 'poison')) === 1)
  await until('the good one', async () => (await countOf(playerScores.name, 'poison')) === 1)
  for (const table of [scoreHistory, playerScores]) {
    const letters = await lettersOf(table)
    assert.deepEqual(
      letters.map(({ value }) => value?.toString('hex')),
      poison.map(([, value]) => value.toString('hex')),
    )
    for (const { headers } of letters) {
      assert.equal(headers['__connect.errors.topic']?.toString(), topics.churnScores.name)
      assert.equal(headers['__connect.errors.stage']?.toString(), 'VALUE_CONVERTER')
      assert.ok(headers['__connect.errors.exception.class.name'])
    }
  }
  await untilAllRun()
})

test('kill -9 of the worker under load - nothing is missing, nothing twice', async () => {
  const sent: ChurnScore[] = []
  for (let round = 0; round < 10; round++) {
    const part = scoresOf('killed', 1_000)
    await sendScores(part)
    sent.push(...part)
    if (round !== 4) continue
    await until('some rows', async () => (await countOf(scoreHistory.name, 'killed')) > 500)
    await until('files that Iceberg has written and not committed', hasIcebergWritten)
    await stack.servers.connect.kill9()
    await database.query('DROP FUNCTION public.refuse CASCADE')
  }
  assert.ok((await countOf(scoreHistory.name, 'killed')) < sent.length)
  await stack.servers.connect.start()
  await untilWhole('killed', sent)
})

test('the schema registry is away - good records wait, none becomes a dead letter', async () => {
  await stack.servers.registry.stop()
  // A new process knows no schema.
  await stack.servers.connect.kill9()
  await stack.servers.connect.start()
  const sent = scoresOf('waited', 100)
  await sendScores(sent)
  await delay(outageMs)
  assert.equal(await countOf(scoreHistory.name, 'waited'), 0)
  await stack.servers.registry.start()
  await untilWhole('waited', sent)
  for (const table of [scoreHistory, playerScores]) {
    const players = (await lettersOf(table)).map(({ key }) => key?.toString())
    // Those again, after a worker was killed: no others.
    assert.deepEqual([...new Set(players)], ['poison-good'])
  }
  await untilAllRun()
})

test('a newer schema - its field becomes a column, and records of the older one are still written', async () => {
  const schema = JSON.parse(schemaText('churn-score')) as { fields: unknown[] }
  schema.fields.push({ name: 'campaign', type: 'string', default: 'none' })
  // The registry finds its connections broken, one request each.
  let id = 0
  await until('registered', async () => {
    const path = `/subjects/${topics.churnScores.name}-value/versions`
    const answer = await post(path, { schema: JSON.stringify(schema) }).catch(() => undefined)
    id = (answer as { id: number } | undefined)?.id ?? 0
    return id > 0
  })
  const frame = Buffer.alloc(5)
  frame.writeInt32BE(id, 1)
  const body = typeOf(schema).toBuffer({ ...scoreOf('newer-1'), campaign: 'winback' })
  await sendValue('newer-1', Buffer.concat([frame, body]))
  await sendScores([scoreOf('newer-2')])
  for (const table of [scoreHistory, playerScores]) {
    await until('both rows', async () => (await countOf(table.name, 'newer')) === 2)
    const rows = await rowsOf(
      `SELECT player_id, campaign FROM ${warehouse}.${table.name} WHERE player_id LIKE 'newer%'
        ORDER BY player_id`,
    )
    assert.deepEqual(rows, [
      { player_id: 'newer-1', campaign: 'winback' },
      { player_id: 'newer-2', campaign: 'none' },
    ])
  }
})

test('the keeper - a second start changes nothing, and SIGTERM ends it in order', async () => {
  assert.equal((await keeper.stop()).code, 0)
  await startKeeper()
  await untilAllRun()
  const { count } =
    (await rowsOf('SELECT count(*)::int AS count FROM public.warehouse_migrations'))[0] ?? {}
  assert.equal(count, 1)
})

test('the database is away, killed in the middle of a write - records wait, what failed is restarted', async () => {
  const first = scoresOf('outage', 500)
  await sendScores(first)
  await until('some rows', async () => (await countOf(scoreHistory.name, 'outage')) > 0)
  await stack.servers.postgres.kill9()
  const second = scoresOf('outage', 500)
  await sendScores(second)
  await delay(outageMs)
  await stack.servers.postgres.start()
  await untilWhole('outage', [...first, ...second])
  await untilAllRun()
})

test('S3 - an Iceberg table holds each committed record once, after all of that', async () => {
  const schemas = new Schemas({ url: stack.registry.url })
  const decoder = new Decoder('churn-score')
  const causes: string[] = []
  for (let partition = 0; partition < topics.churnScores.partitions; partition++) {
    for await (const records of kafka.read(topics.churnScores.name, partition)) {
      const values = records.map(({ value }) => value)
      // The registry too finds its connections broken.
      await until('their schemas', async () => {
        try {
          await schemas.prepare(decoder, values)
          return true
        } catch (error) {
          if (error instanceof RegistryUnavailable) return false
          throw error
        }
      })
      for (const { value } of records) {
        const score = decoder.decode(value)
        if (score instanceof DecodeProblem || score.causeEventId.includes('\u0000')) continue
        causes.push(score.causeEventId)
      }
    }
  }
  const catalogue = createJdbcCatalogue()
  await until(`${causes.length} records`, async () => {
    return (await catalogue.rows()) === causes.length
  })
  assert.ok((await catalogue.columns()).includes('campaign'))
  // No bounds of it: manifests would name players.
  const { 'write.metadata.metrics.column.player_id': metrics } = await catalogue.properties()
  assert.equal(metrics, 'none')
})

/** What Iceberg's catalogue says of the table, and the metadata that it points to. */
function createJdbcCatalogue() {
  interface Metadata {
    'current-snapshot-id': number
    'current-schema-id': number
    properties: Record<string, string>
    snapshots: { 'snapshot-id': number; summary: Record<string, string> }[]
    schemas: { 'schema-id': number; fields: { name: string }[] }[]
  }
  const { endpoint, region, accessKeyId, secretAccessKey } = stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  async function metadata(): Promise<Metadata | undefined> {
    const found = await rowsOf(`SELECT to_regclass('iceberg_tables') IS NOT NULL AS found`)
    if (found[0]?.['found'] !== true) return undefined
    const [row] = await rowsOf('SELECT metadata_location FROM iceberg_tables')
    if (row === undefined) return undefined
    const { hostname: Bucket, pathname } = new URL(row['metadata_location'] as string)
    const object = await client.send(new GetObjectCommand({ Bucket, Key: pathname.slice(1) }))
    return JSON.parse((await object.Body?.transformToString()) ?? '') as Metadata
  }
  return {
    async rows(): Promise<number> {
      const found = await metadata()
      const current = found?.snapshots.find(
        (snapshot) => snapshot['snapshot-id'] === found['current-snapshot-id'],
      )
      return Number(current?.summary['total-records'] ?? 0)
    },
    properties: async () => (await metadata())?.properties ?? {},
    async columns(): Promise<string[]> {
      const found = await metadata()
      const current = found?.schemas.find(
        (schema) => schema['schema-id'] === found['current-schema-id'],
      )
      return current?.fields.map(({ name }) => name) ?? []
    },
  }
}
