// Does a request lead to a better champion, and to nothing worse when something is wrong?
import {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import { Schemas, type RetrainingRequest } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../pipeline/command.ts'
import { listenForNotices, untilFound, type Notices } from '../pipeline/dagster-watch.ts'
import { modelName } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { openPlayers, type Players } from '../pipeline/players.ts'
import { figuresOf, retrainingByItself, type Notice } from '../pipeline/retraining.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const withinMs = 600_000
const historyDays = 150
const liveDays = 40
const modelCli = fileURLToPath(new URL('../../model-cli/src/main.ts', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-retraining-'))
const ended = new AbortController()
const failures: string[] = []
let notices: Notices<Notice>
let pipeline: Pipeline
let mlflow: Mlflow
let s3: S3Client
let players: Players
const startAt = Date.now() - (historyDays + liveDays) * dayMs
const historyEndsAt = startAt + historyDays * dayMs

before(async () => {
  notices = await listenForNotices()
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['features', 'scorer', 'registryBridge'],
    env: {
      registryBridge: { REPORT_INTERVAL_MS: '500' },
      // The new champion is meant to score differently, and within seconds.
      scorer: { REPORT_INTERVAL_MS: '1000', GUARD_WINDOW_MS: '0', SHADOW_WAIT_MS: '5000' },
    },
    dagster: {
      ...retrainingByItself(notices.url),
      RETRAINING_COHORT_DAYS: '10',
      RETRAINING_LEAST_COHORT_ROWS: '200',
      TRIAL_LEAST_ROWS: '200',
      TRIAL_LEAST_MINUTES: '0.05',
      TRIAL_MOST_SKIPPED: '0.5',
      TRIAL_MOST_MICROSECONDS_PER_ROW: '100000',
      TRIAL_LEAST_AGREEMENT: '0.1',
      TRIAL_MOST_SCORE_SHIFT: '0.9',
    },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  const { endpoint, region, accessKeyId, secretAccessKey } = pipeline.stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  mlflow = createMlflow(pipeline.stack.mlflow.url)
  const schemas = new Schemas({ url: pipeline.stack.registry.url })
  players = await openPlayers(pipeline.kafka, schemas, {
    seed: 31,
    players: 1_000,
    startAt,
    endAt: historyEndsAt + liveDays * dayMs,
    signUpDays: historyDays + liveDays,
    clockEveryMs: dayMs / 2,
    // What foretold churn foretells it no more: a new version must win.
    plants: [{ kind: 'concept-drift', from: startAt }],
  })
  await players.playUntil(historyEndsAt)
})
after(async () => {
  await players?.close()
  s3?.destroy()
  await pipeline?.[Symbol.asyncDispose]()
  notices?.close()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

test('retraining - a request that nobody can read is stepped over, a pinned model left alone', async () => {
  await ask(Buffer.from('{"modelName": "churn-default"}'))
  await told(/at offset 0 of partition 0 is stepped over: it is not of Confluent's format/)

  await mlflow.setModelTag(modelName, 'churnstream.pinned', '1')
  await ask({ requestedBy: 'person' })
  await told(/is not trained: pinned: churn-default is pinned to version 1/)
  await mlflow.deleteModelTag(modelName, 'churnstream.pinned')
  const refused = JSON.parse((await modelTags())['churnstream.retraining'] ?? '{}') as Outcome
  assert.equal(refused.guard, 'pinned')
  assert.deepEqual(await aliases(), { champion: '1' })
})

test('retraining - a step that fails says why, and the champion serves on', async () => {
  const profile = await artifact('1', 'reference_profile.json')
  const kept = await s3.send(new GetObjectCommand(profile))
  const Body = (await kept.Body?.transformToByteArray()) as Uint8Array
  await s3.send(new DeleteObjectCommand(profile))
  await ask({ requestedBy: 'person' })
  const { text } = await told(/run \S+ failed \(retraining default training_set\)/)
  assert.match(text, /there is no s3:\S+reference_profile\.json/)
  assert.deepEqual(await aliases(), { champion: '1' })
  await s3.send(new PutObjectCommand({ ...profile, Body }))
})

test('retraining - a person asks, and the better version is trained, tried and promoted', async () => {
  const asked = await runCommand(
    modelCli,
    ['retrain', 'default', '--why', 'the players have changed'],
    dataDir,
  )
  assert.equal(asked.code, 0, asked.stderr)
  const challenged = await told(/it is challenger now/)
  assert.match(challenged.text, /version 2 against champion 1: better/)

  const stopping = new AbortController()
  const playing = play(stopping.signal)
  const promoted = await told(/version 2 of churn-default is promoted by policy/)
  assert.match(promoted.text, /rows \d+ \(≥ 200\)/)
  await until('the challenger is taken off', async () =>
    JSON.stringify(await aliases()) === JSON.stringify({ champion: '2', previous: '1' })
      ? true
      : undefined,
  )
  stopping.abort()
  await playing

  const version = await mlflow.version(modelName, '2')
  const comparison = JSON.parse(version?.tags['churnstream.comparison'] ?? '{}') as Comparison
  assert.equal(comparison.verdict, 'better')
  assert.equal(comparison.champion, '1')
  assert.ok(comparison.auc.low > 0 || comparison.logLoss.high < 0, JSON.stringify(comparison))
  const trial = JSON.parse(version?.tags['churnstream.trial'] ?? '{}') as Trial
  assert.equal(trial.outcome, 'promoted')
  assert.ok(trial.criteria.every(({ holds }) => holds))
  assert.equal(version?.tags['churnstream.verdict'], 'accepted')

  const { metrics, artifactLocation } = await figuresOf(
    pipeline.stack.mlflow.url,
    version?.runId ?? '',
  )
  assert.equal(metrics.get('comparison_rows'), comparison.rows)
  assert.ok((metrics.get('trial_rows') ?? 0) >= 200)
  const { hostname: Bucket, pathname } = new URL(artifactLocation)
  const Key = `${pathname.slice(1)}/retraining/comparison.json`
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const report = JSON.parse((await Body?.transformToString()) ?? '{}') as Report
  assert.deepEqual(report.request.evidence, { why: 'the players have changed' })
  // Nobody was judged on days that somebody learned from.
  const [firstJudged] = report.judged.window.split('/')
  const [, lastLearned] = report.set.trainWindow.split('/')
  assert.ok(Date.parse(firstJudged as string) > Date.parse(lastLearned as string) + 28 * dayMs)
  assert.ok(Date.parse(firstJudged as string) > Date.parse(report.set.cohort.championSawUntil))
})

test('retraining - who asks again too early is told until when to wait', async () => {
  await ask({ requestedBy: 'monitor', requestedAt: historyEndsAt + dayMs })
  await told(/asked by monitor\) is not trained: cooldown: version 2 learned from/)
  assert.deepEqual(await aliases(), { champion: '2', previous: '1' })
  assert.equal((await mlflow.versions(modelName)).length, 2)
})

interface Outcome {
  readonly guard: string
}
interface Interval {
  readonly low: number
  readonly high: number
}
interface Comparison {
  readonly verdict: string
  readonly champion: string
  readonly rows: number
  readonly auc: Interval
  readonly logLoss: Interval
}
interface Trial {
  readonly outcome: string
  readonly criteria: readonly { readonly holds: boolean }[]
}
interface Report {
  readonly request: { readonly evidence: object }
  readonly judged: { readonly window: string }
  readonly set: {
    readonly trainWindow: string
    readonly cohort: { readonly championSawUntil: string }
  }
}

/** So that there is something to score in the shadow; slowly, as long as it takes. */
async function play(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await players.playUntil(players.playedUntil + 2 * hourMs)
    await delay(500)
  }
}

async function ask(request: Partial<RetrainingRequest> | Buffer): Promise<void> {
  const topic = topics.retrainingRequests
  const schemas = new Schemas({ url: pipeline.stack.registry.url })
  const encoder = await schemas.encoderOf(topic)
  const requestedAt = Date.now()
  const usual: RetrainingRequest = {
    modelName,
    market: 'default',
    reason: 'asked-for',
    evidence: '{}',
    requestedAt,
    cooldownUntil: requestedAt,
    requestedBy: 'person',
  }
  const value = Buffer.isBuffer(request) ? request : encoder.encode({ ...usual, ...request })
  const producer = await pipeline.kafka.openProducer()
  await producer.send([{ topic: topic.name, partition: 0, key: modelName, value }])
  await producer.close()
}

const told = (wanted: RegExp): Promise<Notice> =>
  until(`a notice like ${wanted}`, async () => notices.heard.find(({ text }) => wanted.test(text)))

const aliases = async () => (await mlflow.model(modelName))?.aliases
const modelTags = async () => (await mlflow.model(modelName))?.tags ?? {}

async function artifact(version: string, file: string): Promise<{ Bucket: string; Key: string }> {
  const { hostname: Bucket, pathname } = new URL(await mlflow.artifactLocation(modelName, version))
  return { Bucket, Key: `${pathname.slice(1)}/${file}` }
}

const until = <T>(what: string, look: () => Promise<T | undefined>): Promise<T> =>
  untilFound(what, look, {
    withinMs,
    check: () => assert.deepEqual(failures, []),
    told: () => notices.heard.map((notice) => JSON.stringify(notice)).join('\n'),
  })
