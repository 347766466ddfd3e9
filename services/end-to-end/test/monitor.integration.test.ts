// Does the monitor on real servers say what its core says of the same topics, though it was killed?
import {
  DecodeProblem,
  Decoder,
  Schemas,
  type MonitoringWindow,
  type RecordName,
  type Records,
} from '@churnstream/schemas'
import { loadConfig, type Kafka } from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import {
  Assessor,
  PlayerDays,
  binsOf,
  config,
  isControl,
  parseProfile,
  settingsOf,
  type Profile,
} from '@churnstream/monitor'
import { createMlflow } from '@churnstream/registry-bridge'
import { simulate } from '@churnstream/simulator'
import { services, topics, type Topic } from '@churnstream/topology'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { openActivityWriter } from '../pipeline/activity.ts'
import { modelName } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { progressOf } from '../pipeline/progress.ts'

const dayMs = 86_400_000
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-monitor-'))
const ended = new AbortController()
const failures: string[] = []
let pipeline: Pipeline
let schemas: Schemas

/** A small world: gates that it reaches. All of its partitions have players, and are waited for. */
const env = {
  PATIENCE_DAYS: '1000',
  // Many transactions, so that there is always one to die in.
  COMMIT_INTERVAL_MS: '20',
  MIN_ROWS: '200',
  MIN_ROWS_OF_RATES: '40',
  MIN_LABELS: '200',
  MIN_CHURNED: '20',
  RETRAIN_CALENDAR_DAYS: '30',
}

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['features', 'scorer', 'registryBridge', 'monitor'],
    env: { monitor: env },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  schemas = new Schemas({ url: pipeline.stack.registry.url })
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

/** Simulated history straight into player-activity, so that event time goes faster than ours. */
async function stream(players: number, days: number): Promise<void> {
  const endAt = Date.UTC(2026, 5, 1)
  const startAt = endAt - days * dayMs
  const writer = await openActivityWriter(pipeline.kafka, schemas)
  await writer.write(simulate({ seed: 77, players, startAt, endAt, signUpDays: days / 2 }))
  await writer.close()
}

/** Waits as long as the groups get on, and until nothing is left for them. */
async function untilDone(kafka: Kafka): Promise<void> {
  let before = ''
  let isLeft = true
  while (isLeft) {
    const offsets: bigint[] = []
    await until('the groups get on, or are done', async () => {
      offsets.length = 0
      isLeft = false
      for (const service of [
        services.features,
        services.scorer,
        services.monitor,
        services.assessor,
      ]) {
        for (const topic of service.consumes) {
          for (let partition = 0; partition < topic.partitions; partition++) {
            const progress = await progressOf(kafka, service, topic, partition)
            offsets.push(progress.next)
            isLeft ||= progress.isLeft
          }
        }
      }
      return !isLeft || offsets.join() !== before
    })
    before = offsets.join()
  }
}

async function recordsOf<N extends RecordName>(
  { name, record }: Topic<N>,
  partition: number,
): Promise<{ offset: number; value: Records[N] }[]> {
  const decoder = new Decoder(record)
  const found: { offset: number; value: Records[N] }[] = []
  for await (const records of pipeline.kafka.read(name, partition)) {
    await schemas.prepare(
      decoder,
      records.map(({ value }) => value),
    )
    for (const { offset, value } of records) {
      const decoded = decoder.decode(value)
      assert.ok(!(decoded instanceof DecodeProblem))
      found.push({ offset: Number(offset), value: decoded })
    }
  }
  return found
}

async function profileOf(): Promise<Profile> {
  const [event] = (await recordsOf(topics.registryEvents, 0)).filter(
    ({ value }) => value.modelName === modelName,
  )
  assert.ok(event)
  const { stack } = pipeline
  const store = new S3Client({
    endpoint: stack.s3.endpoint,
    forcePathStyle: true,
    region: stack.s3.region,
    credentials: { accessKeyId: stack.s3.accessKeyId, secretAccessKey: stack.s3.secretAccessKey },
  })
  const [, Bucket, prefix] = /^s3:\/\/([^/]+)\/(.+)$/.exec(event.value.artifactLocation) ?? []
  const Key = `${prefix}/reference_profile.json`
  const { Body } = await store.send(new GetObjectCommand({ Bucket, Key }))
  const text = (await Body?.transformToString()) ?? ''
  store.destroy()
  return parseProfile(text)
}

/** Topic by topic, partition by partition, without Kafka's order between them and without a restart. */
async function expectedWindows(profile: Profile): Promise<Assessed> {
  const settings = settingsOf(
    loadConfig(config, {
      ...env,
      KAFKA_BOOTSTRAP_SERVERS: 'none',
      SCHEMA_REGISTRY_URL: 'http://none',
    }),
  )
  const assessor = new Assessor(settings, () => profile)
  let offset = 0
  for (let partition = 0; partition < settings.partitions; partition++) {
    const days = new PlayerDays(partition)
    const vectors = new Map(
      (await recordsOf(topics.featureVectors, partition)).map(({ offset, value }) => [
        offset,
        value,
      ]),
    )
    for (const { value: outcome } of await recordsOf(topics.playerOutcomes, partition)) {
      days.onOutcome(outcome)
    }
    for (const { value: score } of await recordsOf(topics.churnScores, partition)) {
      const { modelName, modelVersion } = score
      if (days.profileOf(modelName, modelVersion) === undefined) {
        const reference = { modelName, modelVersion, artifactLocation: 'there', profileSha256: 'x' }
        days.keepProfile({ reference, profile })
      }
      const vector = vectors.get(score.vectorOffset)
      assert.ok(vector)
      days.onScore(score, {
        daysSinceLastBet: vector.days_since_last_bet,
        tenureDays: vector.tenure_days,
        bins: binsOf(profile, { ...vector }),
      })
    }
    for (const partial of days.takeDue()) assessor.onPartial(offset++, partial)
  }
  return assessor.takeDue()
}
type Assessed = ReturnType<Assessor['takeDue']>

const plain = (all: readonly object[]): unknown => JSON.parse(JSON.stringify(all))

test('monitor - killed with -9 at every point it says each window once, and what the topics say', async () => {
  const { kafka } = pipeline
  const streaming = stream(700, 100)
  const points = ['after-poll', 'after-process', 'after-produce', 'before-commit', 'after-commit']
  for (const [index, point] of points.entries()) {
    await pipeline.process('monitor').kill9()
    const FAILPOINT = `${point}:kill@${1 + index}`
    // It may die before it is ready.
    void pipeline.restart('monitor', { NODE_ENV: 'test', FAILPOINT }).catch(() => undefined)
    await until(`it dies ${point}`, async () => failures.length > index)
  }
  // Those deaths were asked for.
  assert.ok(failures.splice(0).every((failure) => /SIGKILL/.test(failure)))
  await pipeline.restart('monitor')
  await streaming
  await untilDone(kafka)

  const expected = await expectedWindows(await profileOf())
  const windows = (await recordsOf(topics.modelMonitoring, 0)).map(({ value }) => value)
  const requests = (await recordsOf(topics.retrainingRequests, 0)).map(({ value }) => value)
  assert.deepEqual(plain(windows), plain(expected.windows))
  assert.deepEqual(plain(requests), plain(expected.requests))
  const says = (kind: string) =>
    windows.filter((one) => one.kind === kind && one.statistics.length > 0 && one.market === '*')
  for (const kind of ['quality', 'drift', 'estimate', 'performance']) {
    assert.ok(says(kind).length > 0, `no ${kind} window says anything`)
  }
  assert.ok(
    requests.some(({ reason, requestedBy }) => `${reason} ${requestedBy}` === 'calendar schedule'),
  )
})

test('control group - PostgreSQL draws the same one by the formula of docs/monitoring.md', async () => {
  const guide = readFileSync(new URL('../../../docs/monitoring.md', import.meta.url), 'utf8')
  const formula = /```sql\n(.+?)\n```/s.exec(guide)?.[1]
  assert.ok(formula?.includes('sha256'))
  const players = Array.from({ length: 200 }, (_, index) => `spieler-${index}-ü`)
  const client = new Client({ connectionString: pipeline.stack.postgres.url('churnstream') })
  await client.connect()
  const { rows } = await client.query<{ player_id: string }>(
    `SELECT player_id FROM unnest($1::text[]) AS player_id WHERE ${formula}`,
    [players],
  )
  await client.end()
  const control = { share: 0.1, salt: 'control' }
  assert.deepEqual(
    rows.map((row) => row.player_id),
    players.filter((playerId) => isControl(playerId, control)),
  )
})

test('monitor - Prometheus and MLflow show the newest windows', async () => {
  const page = await (await fetch(`${pipeline.urls.monitor}/metrics`)).text()
  assert.match(page, /churnstream_monitor_statistic\{[^}]*kind="performance"[^}]*statistic="auc"/)
  const windows = (await recordsOf(topics.modelMonitoring, 0)).map(({ value }) => value)
  const newest = windows.findLast(
    ({ kind, market, segment, statistics }: MonitoringWindow) =>
      kind === 'performance' && market === '*' && segment === '*' && statistics.length > 0,
  )
  assert.ok(newest)
  const mlflow = createMlflow(pipeline.stack.mlflow.url)
  const version = await mlflow.version(newest.modelName, newest.modelVersion)
  const auc = newest.statistics.find(({ name }) => name === 'auc')?.value
  const query = new URLSearchParams({ run_id: version?.runId ?? '', metric_key: 'monitor_auc' })
  const url = `${pipeline.stack.mlflow.url}/api/2.0/mlflow/metrics/get-history?${query.toString()}`
  let known = 0
  const isThere = async (): Promise<boolean> => {
    const { metrics = [] } = (await (await fetch(url)).json()) as {
      metrics?: { value: number; step: number }[]
    }
    known = metrics.length
    return metrics.some(
      ({ value, step }) => step === newest.toDay && Math.abs(value - (auc ?? NaN)) < 1e-9,
    )
  }
  // The bridge tells one window after the other.
  let isTold = false
  while (!isTold) {
    const before = known
    await until('more of the AUC is in MLflow', async () => {
      isTold = await isThere()
      return isTold || known > before
    })
  }
})
