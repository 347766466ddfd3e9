// Does the whole pipeline keep its promises on real servers?
import {
  DecodeProblem,
  Decoder,
  Schemas,
  type Encoder,
  type PlayerActivity,
} from '@churnstream/schemas'
import { parseDeadLetter, partitionOf, type ConsumedRecord } from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import { drive, postEvents, simulate, type DriveReport } from '@churnstream/simulator'
import { deadLetterTopic, topics } from '@churnstream/topology'
import { runningVariables } from '@churnstream/topology/local'
import { verifyRunning } from '@churnstream/verifier'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { clockRecords } from '@churnstream/ingestion'
import { depositOf } from '../pipeline/deposit.ts'
import { firstEvents } from '../pipeline/steps.ts'
import { markEnds, takeAccount, type Account } from '../demo/account.ts'
import { championAlias, championVersion, modelName, trainModel } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { rowsOf } from '../pipeline/rows.ts'

const dayMs = 86_400_000
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-pipeline-'))
const ended = new AbortController()
const failures: string[] = []
let pipeline: Pipeline
let schemas: Schemas
let encoder: Encoder<'player-activity'>

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
  encoder = await schemas.encoderOf(topics.playerActivity)
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

interface Streamed {
  readonly report: DriveReport
  readonly account: () => Promise<Account>
}

let streams = 0

/** Plays simulated players through the real HTTP server, and accounts for every one of their events. */
async function stream(
  events: number,
  ratePerSecond: number,
  signal = ended.signal,
): Promise<Streamed> {
  const marks = await markEnds(pipeline.kafka)
  const acknowledged = new Set<string>()
  const endAt = Date.now()
  const producer = await pipeline.kafka.openProducer()
  const steps = simulate({
    seed: 1_000 + streams++,
    players: 1_500,
    startAt: endAt - 200 * dayMs,
    endAt,
    signUpDays: 10,
  })
  const report = await drive({
    steps: firstEvents(steps, events),
    ratePerSecond,
    signal,
    post: postEvents(pipeline.urls.ingestion, { key: pipeline.apiKey }),
    async writeClock(atMs) {
      await producer.send(clockRecords(encoder, atMs))
    },
    onAcknowledged({ verdicts }) {
      for (const { status, eventId } of verdicts)
        if (status === 'accepted') acknowledged.add(eventId)
    },
  })
  await producer.close()
  const databaseUrl = pipeline.stack.postgres.url('churnstream')
  const { kafka } = pipeline
  const take = () => takeAccount({ kafka, schemas, databaseUrl, marks, acknowledged })
  return {
    report,
    async account() {
      let account = await take()
      await until('nothing is missing', async () => (account = await take()).missing === 0)
      return account
    },
  }
}

const activity = (playerId: string, occurredAt = Date.now()): PlayerActivity =>
  depositOf(playerId, `${playerId}-${occurredAt}`, occurredAt)

const post = (body: string, type = 'application/json') =>
  fetch(`${pipeline.urls.ingestion}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${pipeline.apiKey}` },
    body,
  })

async function readFrom(topic: string, from: readonly bigint[]): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = []
  for (const [partition, offset] of from.entries()) {
    for await (const records of pipeline.kafka.read(topic, partition, offset))
      found.push(...records)
  }
  return found
}

test('pipeline - every acknowledged event is scored once by the champion, in the topic and in PostgreSQL', async () => {
  const { report, account } = await stream(3_000, 1_000)
  assert.equal(report.acknowledged, 3_000)
  const { missing, duplicates, scores, distinctCauses, modelVersions, deadLetters } =
    await account()
  assert.deepEqual(
    { missing, duplicates, deadLetters },
    { missing: 0, duplicates: 0, deadLetters: {} },
  )
  assert.equal(scores, distinctCauses)
  // Clock records score the silent beside those who did something.
  assert.ok(scores > 3_000, `${scores} scores`)
  const champion = await championVersion(pipeline.stack.mlflow.url)
  assert.deepEqual(
    modelVersions.map(({ name, version }) => [name, version]),
    [['churn-default', champion]],
  )
})

test('pipeline - bad input over HTTP gets a 4xx with the reason, and nothing reaches Kafka', async () => {
  const { kafka } = pipeline
  const before = await kafka.endOffsets(topics.playerActivity.name)
  const good = {
    eventId: 'e',
    kind: 'bet_placed',
    playerId: 'p',
    occurredAt: Date.now(),
    market: 'gb',
    stake: 1,
    odds: 2,
  }
  const bad: [string, string][] = [
    ['{"eventId": ', 'malformed'],
    [JSON.stringify({ ...good, kind: 'bet_dreamt' }), 'kind'],
    [JSON.stringify({ ...good, eventId: undefined }), 'eventId'],
    [JSON.stringify({ ...good, stake: -1 }), 'stake'],
    [JSON.stringify(good).replace('"stake":1', '"stake":NaN'), 'malformed'],
    [JSON.stringify({ ...good, occurredAt: Date.now() - 3_650 * dayMs }), 'occurredAt'],
    [JSON.stringify({ ...good, occurredAt: Date.now() + 3_650 * dayMs }), 'occurredAt'],
    [JSON.stringify({ ...good, playerId: 'x'.repeat(5_000_000) }), 'too large'],
  ]
  for (const [body, names] of bad) {
    const response = await post(body)
    const text = await response.text()
    const what = `${body.slice(0, 60)} → ${response.status} ${text.slice(0, 300)}`
    assert.ok(response.status >= 400 && response.status < 500, what)
    assert.match(
      text,
      new RegExp(
        names === 'malformed' ? 'JSON' : names === 'too large' ? 'byte|large' : names,
        'i',
      ),
      what,
    )
  }
  assert.deepEqual(await kafka.endOffsets(topics.playerActivity.name), before)
})

test('pipeline - poison on player-activity is set aside with its bytes, and the rest flows on', async () => {
  const { kafka } = pipeline
  const dlq = deadLetterTopic(topics.playerActivity)
  const lettersBefore = await kafka.endOffsets(dlq)
  const scoresBefore = await kafka.endOffsets(topics.churnScores.name)
  const unknownId = Buffer.from(encoder.encode(activity('poison')))
  unknownId.writeInt32BE(999_999, 1)
  const poison = new Map<string, Buffer>([
    ['not-framed', Buffer.from('garbage')],
    ['unknown-schema-id', unknownId],
    ['undecodable', Buffer.from(encoder.encode(activity('poison'))).subarray(0, 9)],
    ['unknown-kind', Buffer.from(encoder.encode({ ...activity('poison'), kind: 'bet_dreamt' }))],
  ])
  const partition = partitionOf('poison', topics.playerActivity.partitions)
  const producer = await kafka.openProducer()
  const good = activity('after-poison')
  await producer.send(
    [...poison.values(), encoder.encode(good)].map((value) => ({
      topic: topics.playerActivity.name,
      partition,
      key: 'poison',
      value,
    })),
  )
  await producer.close()

  const decoder = new Decoder('churn-score')
  await until('the good event is scored', async () => {
    const records = await readFrom(topics.churnScores.name, scoresBefore)
    await schemas.prepare(
      decoder,
      records.map(({ value }) => value),
    )
    return records.some(({ value }) => {
      const score = decoder.decode(value)
      return !(score instanceof DecodeProblem) && score.causeEventId === good.eventId
    })
  })
  const letters = await readFrom(dlq, lettersBefore)
  const found = new Map(letters.map((letter) => [parseDeadLetter(letter).reason, letter.value]))
  assert.deepEqual(found, poison)
})

test('pipeline - features, scorer and sinks killed with -9 under load lose and repeat nothing', async () => {
  const streaming = stream(6_000, 600)
  for (const id of ['features', 'scorer', 'sinks'] as const) {
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await pipeline.process(id).kill9()
    await pipeline.restart(id)
  }
  const { report, account } = await streaming
  assert.equal(report.acknowledged, 6_000)
  const { missing, duplicates } = await account()
  assert.deepEqual({ missing, duplicates }, { missing: 0, duplicates: 0 })
})

test('pipeline - a new champion takes over between batches, and no record is lost or scored twice', async () => {
  const { stack } = pipeline
  const before = await championVersion(stack.mlflow.url)
  const onProgress = () => undefined
  const training = { stack, dataDir, size: 'small', signal: ended.signal, onProgress } as const
  const next = await trainModel({ ...training, seed: 99, champion: false })
  assert.equal(await championVersion(stack.mlflow.url), before)

  const scoresBefore = await storedScores(before)
  const swapped = new AbortController()
  const streaming = stream(100_000, 400, swapped.signal)
  await until('the old champion scores', async () => (await storedScores(before)) > scoresBefore)
  await setChampion(next)
  await until('the new champion scores', async () => (await storedScores(next)) > 200)
  swapped.abort()
  const { account } = await streaming
  const { missing, duplicates, modelVersions } = await account()
  assert.deepEqual({ missing, duplicates }, { missing: 0, duplicates: 0 })
  const versions = new Set(modelVersions.map(({ version }) => version))
  assert.deepEqual(versions, new Set([before, next]))
})

test('pipeline - to fused and back to chained, killed on the way: everything is verified', async () => {
  const scores = async () =>
    (await pipeline.kafka.endOffsets(topics.churnScores.name)).reduce((sum, end) => sum + end, 0n)
  const assertWhole = async ({ account }: Streamed) => {
    const { missing, duplicates } = await account()
    assert.deepEqual({ missing, duplicates }, { missing: 0, duplicates: 0 })
  }
  // Vectors that nobody has scored, and a features that is not asked to end.
  await pipeline.process('scorer').stop()
  const leftOver = await stream(500, 1_000)
  await pipeline.process('features').kill9()
  const first = await pipeline.startReplica('fused')
  const [before, streaming] = [await scores(), stream(3_000, 1_000)]
  await until('it scores', async () => (await scores()) > before + 500n)
  await first.kill9()
  const second = await pipeline.startReplica('fused')
  await assertWhole(leftOver)
  await assertWhole(await streaming)
  await second.stop()
  await pipeline.restart('features')
  await pipeline.restart('scorer')
  await assertWhole(await stream(500, 1_000))

  const variables = runningVariables({}, dataDir)
  assert.ok(variables)
  const { breaches, inFlight, records } = await verifyRunning({
    variables,
    acknowledged: undefined,
    sample: 200,
    onProgress: () => undefined,
  })
  assert.deepEqual({ breaches, inFlight }, { breaches: [], inFlight: 0 })
  assert.equal(records.scores, records.vectors)
})

async function storedScores(version: string | undefined): Promise<number> {
  const query = 'SELECT count(*)::int AS n FROM score_history WHERE model_version = $1'
  const url = pipeline.stack.postgres.url('churnstream')
  const [row] = await rowsOf<{ n: number }>(url, query, [version])
  return row?.n ?? 0
}

/** As a data scientist does it: MLflow's own API, none of our code. */
async function setChampion(version: string): Promise<void> {
  const response = await fetch(
    `${pipeline.stack.mlflow.url}/api/2.0/mlflow/registered-models/alias`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: modelName, alias: championAlias, version }),
    },
  )
  assert.ok(response.ok, await response.text())
}

test('pipeline - a Python consumer with public libraries reads churn-scores through the registry', async () => {
  const script = fileURLToPath(new URL('./read_scores.py', import.meta.url))
  const { stack } = pipeline
  const args = [
    script,
    stack.kafka.brokers.join(','),
    stack.registry.url,
    topics.churnScores.name,
    '500',
  ]
  const { stdout } = await promisify(execFile)(stack.python, args, { timeout: 60_000 })
  const scores = JSON.parse(stdout) as { playerId: string; score: number; modelName: string }[]
  assert.equal(scores.length, 500)
  for (const { playerId, score, modelName } of scores) {
    assert.ok(playerId.length > 0 && score > 0 && score < 1)
    assert.equal(modelName, 'churn-default')
  }
})
