// Is a player erased everywhere on real servers, and is nobody else?
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import {
  createObjects,
  loadBatch,
  openInstallation,
  openRowWriter,
  prepareBatches,
  type ScoreRow,
} from '@churnstream/batch'
import { createLog, partitionOf, parseDeadLetter } from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import { Schemas, type PlayerActivity } from '@churnstream/schemas'
import { openDatabase, type Database } from '@churnstream/sinks'
import {
  readIcebergTable,
  setIcebergProperty,
  type IcebergTable,
} from '@churnstream/privacy/testing'
import { deadLetterTopic, services, topics, warehouse } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { openActivityWriter, type ActivityWriter } from '../pipeline/activity.ts'
import { runCommand, type Ended } from '../pipeline/command.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { rowsOf } from '../pipeline/rows.ts'

const dayMs = 86_400_000
const mainOf = (service: string) =>
  fileURLToPath(new URL(`../../${service}/src/main.ts`, import.meta.url))
const script = mainOf('privacy')
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-privacy-'))
const ended = new AbortController()
const failures: string[] = []
/** Whose name others begin with. */
const erased = 'player-1'
const players = Array.from({ length: 20 }, (_, index) => `player-${index + 1}`)
const others = players.filter((player) => player !== erased)
const startAt = Date.UTC(2026, 3, 1)
const partition = partitionOf(erased, topics.playerActivity.partitions)
let pipeline: Pipeline
let writer: ActivityWriter
let s3: S3Client
/** Where Iceberg's catalogue is, and the tables of Kafka Connect. */
let lake: Database
let events = 0

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['features', 'scorer', 'registryBridge', 'sinks', 'monitor'],
    warehouse: true,
    env: { monitor: { COMMIT_INTERVAL_MS: '20' } },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  const { stack, kafka } = pipeline
  writer = await openActivityWriter(kafka, new Schemas({ url: stack.registry.url }))
  const { endpoint, region, accessKeyId, secretAccessKey } = stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  lake = openDatabase({
    url: stack.postgres.url(warehouse),
    maxConnections: 1,
    statementTimeoutMs: 10_000,
    log: createLog('privacy-test', 'silent'),
  })
})
after(async () => {
  s3?.destroy()
  await lake?.[Symbol.asyncDispose]()
  await writer?.close()
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

const databaseUrl = () => pipeline.stack.postgres.url('churnstream')

/** A bet of each player on each of the days, and the clock behind them. */
async function play(whom: readonly string[], fromDay: number, days: number): Promise<void> {
  for (let day = fromDay; day < fromDay + days; day++) {
    const bets = whom.map((playerId, index): PlayerActivity => ({
      eventId: `${playerId}-${day}-${events++}`,
      kind: 'bet_placed',
      playerId,
      occurredAt: startAt + day * dayMs + index * 1_000,
      market: 'gb',
      acquisitionSource: null,
      product: 'sport',
      stake: 10,
      payout: null,
      odds: 2,
      inPlay: false,
      amount: null,
    }))
    await writer.write([
      ...bets.map((event) => ({ deliverAt: event.occurredAt, event })),
      { deliverAt: startAt + (day + 1) * dayMs, clockAt: startAt + (day + 1) * dayMs },
    ])
  }
}

/** Scores by cause, without those of the player. */
const scoresOfOthers = () =>
  rowsOf(
    databaseUrl(),
    `SELECT * FROM score_history WHERE player_id <> $1 ORDER BY cause_partition, cause_offset, player_id`,
    [erased],
  )

async function countOf(player: string, table = 'score_history'): Promise<number> {
  const [row] = await rowsOf<{ n: number }>(
    databaseUrl(),
    `SELECT count(*)::integer AS n FROM ${table} WHERE player_id = $1`,
    [player],
  )
  return row?.n ?? 0
}

/** The newest record of each key, and null where it is a tombstone. */
async function newestOf(topic: { name: string; partitions: number }) {
  const newest = new Map<string, Buffer | null>()
  for (let at = 0; at < topic.partitions; at++) {
    for await (const records of pipeline.kafka.read(topic.name, at))
      for (const { key, value } of records) newest.set(String(key), value)
  }
  return newest
}

const readLake = () => readIcebergTable(lake, createObjects(s3))

/** A row of Iceberg, and of the table beside it, by what tells rows apart. */
const keyOf = (row: Readonly<Record<string, unknown>>): string =>
  ['cause_partition', 'cause_offset', 'player_id'].map((name) => String(row[name])).join(' ')

/** Every score that Connect has written flat, in Iceberg too, and no row twice. */
async function untilLakeIsWhole(atLeast: number): Promise<IcebergTable> {
  let found: IcebergTable | undefined
  await until(`Iceberg holds ${atLeast} rows and more`, async () => {
    const flat = await rowsOf(pipeline.stack.postgres.url(warehouse), flatScores)
    found = await readLake()
    const keys = found?.rows.map(keyOf).toSorted() ?? []
    return flat.length >= atLeast && isDeepStrictEqual(keys, flat.map(keyOf).toSorted())
  })
  return found as IcebergTable
}
const flatScores = 'SELECT cause_partition, cause_offset, player_id FROM warehouse.score_history'

const put = (Key: string, Body: Buffer | string) =>
  s3.send(new PutObjectCommand({ Bucket: pipeline.stack.s3.bucket, Key, Body }))
async function get(Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: pipeline.stack.s3.bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

interface Proof {
  readonly findings: readonly { place: string; found: number; goneAt: number | null }[]
  readonly read: { records: number; tables: number; objects: number }
}
const proofOf = ({ stdout }: Ended): Proof => JSON.parse(stdout) as Proof
const leftIn = ({ findings }: Proof): string[] =>
  findings.flatMap(({ place, goneAt }) => (goneAt === null ? [place] : [])).toSorted()
const prove = (player: string) => runCommand(script, ['prove', player, '--json'], dataDir)

/** Erases the player, and calls back when the request stands in its topic. */
function erase(onWritten: () => void): Promise<Ended> {
  const args = ['erase', erased, '--market', 'gb', '--requested-by', 'the test', '--json']
  const child = spawn(process.execPath, [script, ...args, '--data-dir', dataDir], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => {
    const wasWritten = stderr.includes('is written')
    stderr += String(chunk)
    if (!wasWritten && stderr.includes('is written')) onWritten()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
  })
}

test('erase - a player is nowhere any more, though features dies twice, and all others are as they were', async () => {
  await play(players, 0, 4)
  await until('every bet is scored', async () => {
    const counts = await Promise.all(players.map((player) => countOf(player)))
    return counts.every((count) => count >= 4)
  })
  const lakeBefore = await untilLakeIsWhole(4 * players.length)
  assert.ok(lakeBefore.rows.some((row) => row['player_id'] === erased))
  await until('the monitor knows the player', async () =>
    [...(await newestOf(topics.monitorState)).keys()].some((key) => key.endsWith(` ${erased}`)),
  )
  // What lies beside the stream: a landed file of events, a training set, scores, a batch.
  const lines = players.map((playerId) => JSON.stringify({ playerId, kind: 'signup' }))
  await put('landing/activity/gb/2026-04-01/events.jsonl.gz', gzipSync(`${lines.join('\n')}\n`))
  await put('training/set.csv.gz', gzipSync(`player_id,x\n${players.join(',1\n')},1\n`))
  await put('batch/others.jsonl', others.map((one) => `{"player_id":"${one}"}\n`).join(''))
  await using installation = openInstallation({}, dataDir)
  const parquet = join(dataDir, 'scores.parquet')
  await using rows = await openRowWriter(
    parquet,
    [{ name: 'player_id', type: 'text' }],
    installation,
  )
  await rows.write(players.map((player) => [player]))
  await rows.finish()
  await put('batch/scores.parquet', readFileSync(parquet))
  const database = installation.database()
  await prepareBatches(database)
  await loadBatch(
    database,
    {
      slot: 'weekly/gb',
      inputSha256: 'a'.repeat(64),
      modelName: 'churn-default',
      modelVersion: '1',
      rowsIn: 2,
      scored: 2,
      rejected: 0,
    },
    (async function* () {
      yield [erased, others[0] as string].map((playerId, row): ScoreRow => ({
        playerId,
        asOf: startAt,
        market: 'gb',
        score: 0.5,
        band: 'watch',
        modelName: 'churn-default',
        modelVersion: '1',
        source: 'rows.csv',
        row,
      }))
    })(),
  )
  const before = await prove(erased)
  assert.equal(before.code, 1, before.stderr)
  const inLake = leftIn(proofOf(before)).filter((place) => place.includes('/iceberg/'))
  assert.ok(inLake.length > 0 && inLake.every((place) => place.endsWith('.parquet')))
  assert.deepEqual(
    leftIn(proofOf(before)).filter((place) => !inLake.includes(place)),
    [
      'monitor-state',
      'player-state',
      'postgresql/public.batch_scores',
      'postgresql/public.score_history',
      'postgresql/warehouse.player_scores',
      'postgresql/warehouse.score_history',
      's3://churnstream/batch/scores.parquet',
      's3://churnstream/landing/activity/gb/2026-04-01/events.jsonl.gz',
      's3://churnstream/training/set.csv.gz',
    ],
  )
  const scoresBefore = await scoresOfOthers()
  const untouched = await get('batch/others.jsonl')

  // The request finds nobody to read it, and activity of the player that nobody has read either.
  await pipeline.process('features').kill9()
  await play(players, 4, 1)
  const written = Promise.withResolvers<void>()
  const erasing = erase(() => written.resolve())
  await written.promise
  await pipeline.restart('features')
  await pipeline.process('features').kill9()
  await pipeline.restart('features')
  const done = await erasing
  assert.equal(done.code, 0, done.stderr)

  const proof = proofOf(done)
  assert.deepEqual(leftIn(proof), [])
  assert.ok(proof.read.records > 200 && proof.read.tables === 4 && proof.read.objects > 4)
  const agesOut = proof.findings.map(({ place }) => place)
  for (const { name } of [topics.playerActivity, topics.featureVectors, topics.churnScores]) {
    assert.ok(agesOut.includes(name), `${name} is said to age out`)
  }
  assert.equal(await countOf(erased), 0)
  assert.equal(await countOf(erased, 'batch_scores'), 0)
  assert.equal(await countOf(others[0] as string, 'batch_scores'), 1)
  await until('the others are scored on', async () =>
    (await Promise.all(others.map((player) => countOf(player)))).every((count) => count >= 5),
  )
  const scoresAfter = await scoresOfOthers()
  const after = new Map(scoresAfter.map((row) => [keyOf(row), row]))
  assert.equal(after.size, scoresAfter.length)
  for (const row of scoresBefore) assert.deepEqual(after.get(keyOf(row)), row)
  const states = await newestOf(topics.playerState)
  assert.deepEqual(
    others.filter((player) => states.get(player) == null),
    [],
  )
  const left = gunzipSync(await get('landing/activity/gb/2026-04-01/events.jsonl.gz')).toString()
  assert.equal(left, lines.filter((line) => !line.includes(`"${erased}"`)).join('\n') + '\n')
  assert.equal(
    gunzipSync(await get('training/set.csv.gz')).toString(),
    `player_id,x\n${others.join(',1\n')},1\n`,
  )
  assert.deepEqual(await get('batch/others.jsonl'), untouched)
})

test('erase - in Iceberg nobody else is missing or twice, no snapshot is left to look back, and its sink goes on', async () => {
  const lakeAfter = await untilLakeIsWhole(5 * others.length)
  assert.deepEqual(new Set(lakeAfter.rows.map((row) => row['player_id'])), new Set(others))
  const { metadata } = lakeAfter
  assert.equal(metadata.properties?.['write.metadata.metrics.column.player_id'], 'none')
  // The sink's next commit reads every manifest, ours too, and makes one of them.
  await until('Iceberg is to merge manifests', () =>
    setIcebergProperty(lake, createObjects(s3), 'commit.manifest.min-count-to-merge', '2'),
  )
  await play(others, 5, 1)
  const merged = await untilLakeIsWhole(lakeAfter.rows.length + others.length)
  await until('all others are there', async () => {
    const { rows } = await untilLakeIsWhole(merged.rows.length)
    const days = others.map((player) => rows.filter((row) => row['player_id'] === player).length)
    return days.every((count) => count >= 6)
  })
  assert.equal((await readLake())?.manifests.length, 1)
})

test('repeat - what a backup brought back goes again', async () => {
  await rowsOf(
    databaseUrl(),
    `INSERT INTO batch_scores
     SELECT batch_id, $1, as_of, market, score, band, model_name, model_version, source, 99
       FROM batch_scores WHERE player_id = $2`,
    [erased, others[0]],
  )
  await put('training/set.csv.gz', gzipSync(`player_id,x\n${players.join(',1\n')},1\n`))
  const repeated = await runCommand(script, ['repeat', '--json'], dataDir)
  assert.equal(repeated.code, 0, repeated.stderr)
  assert.deepEqual(JSON.parse(repeated.stdout), { players: 1, rows: 1, objects: 1, refused: [] })
  assert.equal(await countOf(erased, 'batch_scores'), 0)
})

test('erase - once more changes nothing, and nobody else is taken for the player', async () => {
  const [again, other] = await Promise.all([erase(() => undefined), prove('player-10')])
  assert.equal(again.code, 0, again.stderr)
  assert.deepEqual(leftIn(proofOf(again)), [])
  assert.equal(other.code, 1)
  assert.ok(leftIn(proofOf(other)).includes('player-state'))
})

test('replay - nobody learns from a player who was erased', async () => {
  const file = join(dataDir, 'vectors.csv')
  const asOf = new Date(startAt + 6 * dayMs).toISOString()
  const args = ['vectors', '--as-of', asOf, '--to-target', file]
  const replayed = await runCommand(mainOf('replay'), args, dataDir)
  assert.equal(replayed.code, 0, replayed.stderr)
  const [, ...rows] = readFileSync(file, 'utf8').trimEnd().split('\n')
  assert.equal(rows.length, others.length)
  assert.deepEqual(new Set(rows.map((row) => row.split(',')[0])), new Set(others))
})

test('erase - a player who comes back begins anew, and is not in the proof of the former life', async () => {
  await play([erased], 6, 1)
  await until('the bet is scored', async () => (await countOf(erased)) > 0)
  const proof = await prove(erased)
  assert.deepEqual(leftIn(proofOf(proof)), [])
  assert.notEqual((await newestOf(topics.playerState)).get(erased) ?? null, null)
})

test('requests - one that makes no sense is set aside with its reason, and the lane goes on', async () => {
  const producer = await pipeline.kafka.openProducer()
  const topic = topics.privacyRequests.name
  await producer.send([{ topic, partition, key: erased, value: Buffer.from('forget me') }])
  await producer.close()
  const letters = deadLetterTopic(topics.privacyRequests)
  await until('it is set aside', async () => {
    for await (const records of pipeline.kafka.read(letters, partition)) {
      const [letter] = records
      if (letter === undefined) continue
      assert.equal(parseDeadLetter(letter).reason, 'not-framed')
      assert.equal(parseDeadLetter(letter).service, services.features.name)
      return true
    }
    return false
  })
})
