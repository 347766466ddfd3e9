// Does a replay give what the stream gave, once, whatever breaks while it runs?
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { clockRecords } from '@churnstream/ingestion'
import { replayHeaders } from '@churnstream/replay'
import type { ConsumedRecord } from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import { DecodeProblem, Decoder, Schemas, type ChurnScore } from '@churnstream/schemas'
import { drive, postEvents, simulate } from '@churnstream/simulator'
import { backfillScores, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { killed, runCommand, type Ended } from '../pipeline/command.ts'
import { championVersion, modelName } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { firstEvents } from '../pipeline/steps.ts'
import { rowsOf } from '../pipeline/rows.ts'

const script = fileURLToPath(new URL('../../replay/src/main.ts', import.meta.url))
const dayMs = 86_400_000
const events = 4_000
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-replay-'))
const results = mkdtempSync(join(tmpdir(), 'churnstream-replayed-'))
const ended = new AbortController()
const failures: string[] = []
const decoder = new Decoder('churn-score')
let pipeline: Pipeline
let schemas: Schemas
let model: string
/** Of the stream, by as_of. */
let streamed: ChurnScore[]
let fromAt: number
let toAt: number

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  schemas = new Schemas({ url: pipeline.stack.registry.url })
  model = `models:/${modelName}/${await championVersion(pipeline.stack.mlflow.url)}`
  await stream()
  streamed = (await scoresIn(topics.churnScores.name)).sort((a, b) => a.asOf - b.asOf)
  fromAt = (streamed[Math.floor(streamed.length * 0.3)] as ChurnScore).asOf
  toAt = (streamed[Math.floor(streamed.length * 0.9)] as ChurnScore).asOf
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  for (const folder of [dataDir, results]) rmSync(folder, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

/** Simulated players through the real services, until every record has been scored. */
async function stream(): Promise<void> {
  const { kafka } = pipeline
  const { name } = topics.playerActivity
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const producer = await kafka.openProducer()
  const endAt = Date.now()
  const steps = simulate({
    seed: 4_000,
    players: 300,
    startAt: endAt - 60 * dayMs,
    endAt,
    signUpDays: 5,
    clockEveryMs: dayMs / 4,
  })
  await drive({
    steps: firstEvents(steps, events),
    ratePerSecond: 1_500,
    signal: ended.signal,
    post: postEvents(pipeline.urls.ingestion, { key: pipeline.apiKey }),
    async writeClock(atMs) {
      await producer.send(clockRecords(encoder, atMs))
    },
    onAcknowledged: () => undefined,
  })
  await producer.close()
  const group = services.features.name
  await until('every record is folded', async () => {
    for (const [partition, end] of (await kafka.endOffsets(name)).entries()) {
      if ((await kafka.committedOffset(group, name, partition)) < end) return false
    }
    return true
  })
  const countOf = async (topic: string) => (await recordsIn(topic)).flat().length
  await until('every vector is scored', async () => {
    return (await countOf(topics.churnScores.name)) === (await countOf(topics.featureVectors.name))
  })
}

async function recordsIn(topic: string): Promise<ConsumedRecord[][]> {
  const found: ConsumedRecord[][] = []
  for (const [partition, end] of (await pipeline.kafka.endOffsets(topic)).entries()) {
    found.push((await Array.fromAsync(pipeline.kafka.read(topic, partition, 0n, end))).flat())
  }
  return found
}

async function scoresIn(topic: string, run?: string): Promise<ChurnScore[]> {
  const records = (await recordsIn(topic))
    .flat()
    .filter(({ value }) => value !== null)
    .filter(({ headers }) => headers[replayHeaders.run]?.toString() === run)
  await schemas.prepare(
    decoder,
    records.map(({ value }) => value),
  )
  return records.map(({ value }) => {
    const score = decoder.decode(value)
    assert.ok(!(score instanceof DecodeProblem))
    return score
  })
}

/** Keys and values of a run, by partition and in order, and how many markers stand among them. */
async function standing(run: string) {
  const own = (await recordsIn(backfillScores.name)).map((records) =>
    records.filter(({ headers }) => headers[replayHeaders.run]?.toString() === run),
  )
  return {
    scores: own.map((records) =>
      records
        .filter(({ value }) => value !== null)
        .map(({ key, value }) => `${key?.toString()} ${value?.toString('hex')}`),
    ),
    ends: own.flat().filter(({ headers }) => replayHeaders.end in headers).length,
  }
}

function scoresArguments(id: string, target: string): string[] {
  const range = ['--from', String(fromAt), '--to', String(toAt)]
  return ['scores', ...range, '--model', model, '--id', id, '--to-target', target, '--json']
}

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  runCommand(script, args, dataDir, env)

interface Summary {
  readonly total: { vectors: number; scores: number; rejected: number; records: number }
  readonly foldedNow: number
  readonly published?: { batchId: string; previousBatchId: string | null; rows: number }
}

async function runWell(args: readonly string[]): Promise<Summary> {
  const { code, stdout, stderr } = await run(args)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Summary
}

/** All but where the vector stood and by which epoch the version came. */
function comparable(score: ChurnScore): string {
  const { modelEpoch, vectorPartition, vectorOffset, ...same } = score
  void [modelEpoch, vectorPartition, vectorOffset]
  return JSON.stringify(same)
}

test('replay - the version that served gives the scores of the stream again, to the bit', async () => {
  const expected = streamed.filter(({ asOf }) => asOf >= fromAt && asOf < toAt)
  assert.ok(expected.length > 2_000, String(expected.length))
  assert.ok(expected.some(({ trigger }) => trigger === 'clock'))
  const { total } = await runWell(scoresArguments('whole', 'topic'))
  assert.deepEqual(
    [total.vectors, total.scores, total.rejected],
    [expected.length, expected.length, 0],
  )
  const found = await scoresIn(backfillScores.name, 'whole')
  assert.deepEqual(found.map(comparable).sort(), expected.map(comparable).sort())
  assert.equal((await standing('whole')).ends, backfillScores.partitions)
})

test('replay - killed with -9 wherever it writes, it goes on and gives the same bytes once', async () => {
  const whole = await standing('whole')
  const points = ['after-produce:kill@3', 'before-commit:kill@4', 'after-commit:kill@5']
  for (const failpoint of [...points, 'after-send-offsets:kill@2']) {
    const env = { NODE_ENV: 'test', FAILPOINT: failpoint }
    const { code, stderr } = await run(scoresArguments('broken', 'topic'), env)
    assert.equal(code, killed, `${failpoint}: ${stderr}`)
  }
  await runWell(scoresArguments('broken', 'topic'))
  assert.deepEqual(await standing('broken'), whole)
})

test('replay - repeated it writes nothing more, and other options under its id are refused', async () => {
  const ends = await pipeline.kafka.endOffsets(backfillScores.name)
  const { foldedNow, total } = await runWell(scoresArguments('whole', 'topic'))
  assert.equal(foldedNow, 0)
  assert.ok(total.scores > 2_000)
  const { code, stderr } = await run([...scoresArguments('whole', 'topic'), '--market', 'us-nj'])
  assert.equal(code, 1)
  assert.match(stderr, /market was null and is us-nj/)
  const after = await pipeline.kafka.endOffsets(backfillScores.name)
  // Whoever takes a producer's id over writes the last decision once more; no record comes with it.
  assert.deepEqual((await standing('whole')).ends, backfillScores.partitions)
  assert.ok(after.every((end, partition) => end - (ends[partition] ?? 0n) < 20n))
})

test('replay - two at once under two ids do not disturb each other', async () => {
  const ids = ['left', 'right']
  await Promise.all(ids.map((id) => runWell(scoresArguments(id, 'topic'))))
  const whole = await standing('whole')
  for (const id of ids) assert.deepEqual(await standing(id), whole)
})

test('replay - files on a disk: broken and whole give the same bytes', async () => {
  const [whole, broken] = [join(results, 'whole'), join(results, 'broken')]
  await runWell(scoresArguments('files', whole))
  const env = { NODE_ENV: 'test', FAILPOINT: 'after-file:kill@3' }
  assert.equal((await run(scoresArguments('files', broken), env)).code, killed)
  assert.ok(!readdirSync(broken).includes('manifest.json'))
  await runWell(scoresArguments('files', broken))
  const digests = (folder: string) =>
    readdirSync(folder).map((name) => {
      const bytes = readFileSync(join(folder, name))
      return `${name} ${createHash('sha256').update(bytes).digest('hex')}`
    })
  const visible = digests(broken).filter((name) => !name.startsWith('.'))
  assert.deepEqual(visible, digests(whole))
})

test('replay - into S3 and published: the slot shows each player and instant once, and only then', async () => {
  const target = `s3://${pipeline.stack.s3.bucket}/backfills/a`
  const slot = 'backfill/test'
  const publishing = [...scoresArguments('published', target), '--publish', slot]
  const first = await runWell(publishing)
  const again = await runWell(publishing)
  assert.equal(again.foldedNow, 0)
  assert.equal(again.published?.batchId, first.published?.batchId)
  const fromTopic = await runWell([...scoresArguments('whole', 'topic'), '--publish', slot])
  assert.equal(fromTopic.published?.batchId, first.published?.batchId)

  const newest = new Map<string, ChurnScore>()
  for (const score of await scoresIn(backfillScores.name, 'whole')) {
    newest.set(`${score.playerId} ${score.asOf}`, score)
  }
  const rows = await rowsOf<{ player_id: string; as_of: Date; score: number }>(
    pipeline.stack.postgres.url('churnstream'),
    'SELECT player_id, as_of, score FROM published_scores WHERE slot = $1',
    [slot],
  )
  assert.equal(rows.length, newest.size)
  assert.equal(first.published?.rows, newest.size)
  for (const { player_id: playerId, as_of: asOf, score } of rows) {
    assert.equal(newest.get(`${playerId} ${asOf.getTime()}`)?.score, score)
  }
})

test('replay - events in S3 give vectors and labelled rows, and bad lines are told', async () => {
  const { s3 } = pipeline.stack
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
    forcePathStyle: true,
  })
  const startAt = Date.UTC(2026, 0, 1)
  const lines = [
    ...simulate({ seed: 5, players: 60, startAt, endAt: startAt + 70 * dayMs, signUpDays: 10 }),
  ].flatMap((step) => ('event' in step ? [JSON.stringify(step.event)] : []))
  const put = (name: string, body: string | Buffer) =>
    client.send(
      new PutObjectCommand({ Bucket: s3.bucket, Key: `landing/activity/${name}`, Body: body }),
    )
  const half = Math.floor(lines.length / 2)
  // The later half first: files may come in any order.
  await put('us-nj/1.jsonl.gz', gzipSync(`${lines.slice(half).join('\n')}\n`))
  await put('us-nj/2.jsonl', `${lines.slice(0, half).join('\n')}\n{"eventId": "half a li\n`)
  await put('us-nj/_ignored.txt', 'not ours')
  const source = ['--from-source', `s3://${s3.bucket}/landing/activity`]
  const vectors = join(results, 'vectors.jsonl')
  const asOf = '2026-02-20'
  await runWell(['vectors', '--as-of', asOf, '--to-target', vectors, ...source, '--json'])
  const rows = readFileSync(vectors, 'utf8').trimEnd().split('\n')
  const players = new Set(
    lines
      .map((line) => JSON.parse(line) as { playerId: string; occurredAt: number })
      .filter(({ occurredAt }) => occurredAt < Date.parse(asOf))
      .map(({ playerId }) => playerId),
  )
  const found = rows.map((row) => (JSON.parse(row) as { player_id: string }).player_id)
  assert.deepEqual(found.toSorted(), [...players].sort())
  const rejects = readFileSync(`${vectors}.rejects.jsonl`, 'utf8').trimEnd().split('\n')
  assert.equal(rejects.length, 1)
  assert.match(rejects[0] ?? '', /us-nj\/2\.jsonl.*malformed-json/)

  const labels = join(results, 'labels.csv.gz')
  await runWell(['labels', '--until', '2026-03-10', '--to-target', labels, ...source, '--json'])
  await put('us-nj/3.csv', 'a,b')
  const refused = await run(['vectors', '--as-of', asOf, '--to-target', vectors, ...source])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /3\.csv is no file of events/)
  await client.send(
    new DeleteObjectCommand({ Bucket: s3.bucket, Key: 'landing/activity/us-nj/3.csv' }),
  )
  client.destroy()
})

test('replay - with the brokers away it may be tried again', async () => {
  const { stack } = pipeline
  const env = {
    MLFLOW_TRACKING_URI: stack.mlflow.url,
    KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
    SCHEMA_REGISTRY_URL: stack.registry.url,
  }
  const target = join(results, 'never.parquet')
  const { code, stderr } = await run(
    ['vectors', '--as-of', '2026-02-20', '--to-target', target],
    env,
  )
  assert.equal(code, 75, stderr)
  assert.ok(!readdirSync(results).includes('never.parquet'))
})

/** The last one: it takes what the others read. */
test('replay - a range that retention has cut is refused, with what is missing and what to do', async () => {
  const { stack } = pipeline
  const deleteRecords = [
    'import sys',
    'from confluent_kafka import TopicPartition',
    'from confluent_kafka.admin import AdminClient',
    'servers, topic = sys.argv[1:]',
    'admin = AdminClient({"bootstrap.servers": servers})',
    'cut = admin.delete_records([TopicPartition(topic, 0, 100)])',
    '[future.result() for future in cut.values()]',
  ].join('\n')
  const { name } = topics.playerActivity
  const args = ['-c', deleteRecords, stack.kafka.brokers.join(','), name]
  await promisify(execFile)(stack.python, args)
  const begun = await run(scoresArguments('broken-2', 'topic'))
  assert.equal(begun.code, 1)
  assert.match(
    begun.stderr,
    /retention has removed the beginning of player-activity \(partitions 0\)/,
  )
  assert.match(begun.stderr, /earliest start is|--accept-cut-history/)
})
