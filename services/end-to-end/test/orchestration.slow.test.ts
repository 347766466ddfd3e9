// Does Dagster score by the clock, by what lands in S3 and after a fall, and say what failed?
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { simulate } from '@churnstream/simulator'
import { askDagster } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { listenForNotices, untilFound, type Notices } from '../pipeline/dagster-watch.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { rowsOf } from '../pipeline/rows.ts'

const dayMs = 86_400_000
const withinMs = 600_000
/** As long as a fail-over takes. */
const awayMs = 15_000
const market = 'us-nj'
/** In services/training/markets/. */
const marketCount = 6
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-orchestration-'))
const ended = new AbortController()
const failures: string[] = []
let notices: Notices<Notice>
let pipeline: Pipeline
let s3: S3Client

interface Notice {
  job: string
  run: string
  partition: string | null
  step: string | null
  reason: string
  will_retry: boolean
}

before(async () => {
  notices = await listenForNotices()
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: [],
    dagster: {
      NOTIFY_WEBHOOK_URL: notices.url,
      BATCH_CRON: '* * * * *',
      STEP_RETRY_SECONDS: '5',
      LANDING_SETTLE_SECONDS: '1',
    },
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  const { endpoint, region, accessKeyId, secretAccessKey } = pipeline.stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
})
after(async () => {
  s3?.destroy()
  await pipeline?.[Symbol.asyncDispose]()
  notices?.close()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

test('every_week - a tick scores and publishes the market that has activity, the others fail alone', async () => {
  await land()
  await ask(
    `mutation ($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
      __typename ... on PythonError { message } } }`,
    { selector: everyWeek },
  )
  await until('a run of the tick', async () => (await runsOf('weekly_batch'))[0])
  const markets = await until('the end of the tick and of its runs', async () => {
    // The next tick would ask for all of them again. One that is at work writes back the state that
    // it has read: to stop it once is not enough.
    await stopSchedule()
    const runs = await runsOf('weekly_batch')
    const isWhole = runs.length >= marketCount && runs.every(({ status }) => isOver(status))
    return isWhole ? runs.slice(-marketCount) : undefined
  })
  assert.deepEqual(
    markets.filter(({ status }) => status === 'SUCCESS').map(({ tags }) => tags['market']),
    [market],
    JSON.stringify(notices.heard.filter(({ partition }) => partition?.startsWith(market))),
  )
  const slot = slotOf(markets.find(({ status }) => status === 'SUCCESS') as Run)
  const { batchId, summary } = (await readJson(`batch/${slot}/scores.json`)) as Scores
  assert.ok(summary.scored > 20, `${summary.scored} scored`)
  assert.equal(summary.rowsIn, summary.scored + summary.rejected)
  const rows = await query(
    `SELECT count(*) AS rows, count(DISTINCT player_id) AS players, min(batch_id) AS batch,
       min(model_name) AS model, min(score) AS least, max(score) AS most
     FROM published_scores WHERE slot = $1`,
    [slot],
  )
  assert.equal(Number(rows[0]?.['rows']), summary.scored)
  assert.equal(Number(rows[0]?.['players']), summary.scored)
  assert.equal(rows[0]?.['batch'], batchId)
  assert.equal(rows[0]?.['model'], 'churn-default')
  assert.ok(Number(rows[0]?.['least']) >= 0 && Number(rows[0]?.['most']) <= 1)

  const failed = markets.filter(({ status }) => status === 'FAILURE').map(({ runId }) => runId)
  const told = await until('a notice of each failure', async () => {
    const ofTick = notices.heard.filter(({ run }) => failed.includes(run))
    return ofTick.length >= marketCount - 1 ? ofTick : undefined
  })
  assert.equal(told.length, marketCount - 1)
  for (const { job, partition, step, reason } of told) {
    assert.equal(job, 'weekly_batch')
    assert.equal(step, 'raw_input')
    assert.match(reason, /there is nothing to score: no object under s3:/)
    assert.doesNotMatch(String(partition), new RegExp(market))
  }
})

test('every_week - MLflow away in the middle is waited for, and the batch stays the same', async () => {
  const [first] = await published()
  await pipeline.stack.servers.mlflow.stop()
  const run = await launch('weekly_batch')
  await until('a step that is tried again', async () =>
    (await messagesOf(run)).some((text) => /STEP_UP_FOR_RETRY|failed and will retry/i.test(text))
      ? true
      : undefined,
  )
  assert.deepEqual(await published(), [first])
  await pipeline.stack.servers.mlflow.start()
  assert.equal(await endOf(run), 'SUCCESS')
  assert.deepEqual(await published(), [first])
})

test('run_retries - a worker that was killed is replaced, once, and nothing is published twice', async () => {
  const before = await published()
  const run = await launch('weekly_batch')
  const pid = await until('a worker at work', async () => {
    const texts = await messagesOf(run)
    const found = texts.map((text) => /in process \(pid: (\d+)\)/.exec(text)?.[1])
    return texts.some((text) => text.includes('step "features"')) ? found.find(Boolean) : undefined
  })
  process.kill(Number(pid), 'SIGKILL')
  assert.equal(await endOf(run), 'FAILURE')
  const retry = await until('the run that replaces it', async () =>
    (await runsOf('weekly_batch')).find(({ tags }) => tags['dagster/parent_run_id'] === run),
  )
  assert.equal(await endOf(retry.runId), 'SUCCESS')
  assert.deepEqual(await published(), before)
  const told = await until('its notice', async () => notices.heard.find((one) => one.run === run))
  assert.equal(told.will_retry, true)
})

test('weekly_batch - PostgreSQL away in the middle shows nothing half done, and another run repairs it', async (t) => {
  const before = await published()
  const run = await launch('weekly_batch')
  await until('a worker at work', async () =>
    (await messagesOf(run)).some((text) => text.includes('step "features"')) ? true : undefined,
  )
  // Dagster's own tables are there too: it can neither write what happened nor start anything.
  await pipeline.stack.servers.postgres.kill9()
  await delay(awayMs)
  await pipeline.stack.servers.postgres.start()
  // Each connection that the page held is found dead once, and its answer says so.
  await until('the page to have new connections', async () => {
    await Promise.all([runsOf('weekly_batch'), messagesOf(run), stopSchedule()])
    return true
  })
  const ended = await endOf(run)
  assert.deepEqual(await published(), before)
  if (ended === 'FAILURE') {
    const told = await until('its notice', async () => notices.heard.find((one) => one.run === run))
    assert.notEqual(told.reason, '')
    t.diagnostic(`the run failed at ${told.step}: ${told.reason}`)
  }
  assert.equal(await endOf(await launch('weekly_batch')), 'SUCCESS')
  assert.deepEqual(await published(), before)
})

test('new_rows - an object that lands in S3 is scored once', async () => {
  const sample = await sampleRows()
  await put('landing/rows/today.json.part', '[')
  await put('landing/rows/today.json', sample)
  await ask(
    `mutation ($selector: SensorSelector!) {
      startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } } }`,
    { selector: { ...repository, sensorName: 'new_rows' } },
  )
  const run = await until('a run for the object', async () => (await runsOf('score_rows'))[0])
  assert.equal(await endOf(run.runId), 'SUCCESS')
  const { bucket: Bucket } = pipeline.stack.s3
  const Key = 'batch/rows/today.json.parquet'
  assert.ok(((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength ?? 0) > 0)

  await put('landing/rows/other.json', '[{"nothing": 1}]')
  const told = await until('a notice of the bad file', async () =>
    notices.heard.find(({ job }) => job === 'score_rows'),
  )
  assert.equal(told.step, 'row_scores')
  assert.equal((await runsOf('score_rows')).length, 2)
})

interface Scores {
  batchId: string
  summary: { rowsIn: number; scored: number; rejected: number }
}

interface Run {
  runId: string
  status: string
  tags: Record<string, string>
}

const repository = {
  repositoryLocationName: 'churn_orchestration.definitions',
  repositoryName: '__repository__',
}

const everyWeek = { ...repository, scheduleName: 'every_week' }

const stopSchedule = (): Promise<unknown> =>
  ask(
    `mutation ($selector: ScheduleSelector!) { resetSchedule(scheduleSelector: $selector) {
      __typename ... on PythonError { message } } }`,
    { selector: everyWeek },
  )

/** What the simulator's players of the market did, by day, as a producer would leave it. */
async function land(): Promise<void> {
  const days = new Map<string, string[]>()
  const endAt = Date.now()
  for (const step of simulate({ seed: 11, players: 400, startAt: endAt - 75 * dayMs, endAt })) {
    if (!('event' in step) || step.event.market !== market) continue
    const day = new Date(step.event.occurredAt).toISOString().slice(0, 10)
    const lines = days.get(day) ?? []
    lines.push(JSON.stringify(step.event))
    days.set(day, lines)
  }
  for (const [day, lines] of days) {
    await put(`landing/activity/${market}/${day}/events.jsonl.gz`, gzipSync(lines.join('\n')))
  }
}

async function put(key: string, body: string | Uint8Array): Promise<void> {
  const { bucket: Bucket } = pipeline.stack.s3
  await s3.send(new PutObjectCommand({ Bucket, Key: key, Body: body }))
}

async function readJson(key: string): Promise<unknown> {
  const { bucket: Bucket } = pipeline.stack.s3
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: key }))
  return JSON.parse((await Body?.transformToString()) as string)
}

/** X_test_sample.json of the model that serves. */
async function sampleRows(): Promise<string> {
  const query = 'name=churn-default&version=1'
  const path = `/api/2.0/mlflow/model-versions/get-download-uri?${query}`
  const answer = (await (await fetch(`${pipeline.stack.mlflow.url}${path}`)).json()) as {
    artifact_uri: string
  }
  const key = new URL(answer.artifact_uri).pathname.slice(1)
  return JSON.stringify(await readJson(`${key}/X_test_sample.json`))
}

const isOver = (status: string): boolean => /SUCCESS|FAILURE|CANCELED/.test(status)

const slotOf = ({ tags }: Run): string => `weekly/${tags['market']}/${tags['week']}`

async function published(): Promise<Record<string, unknown>[]> {
  return query(
    `SELECT p.slot, p.batch_id, (SELECT count(*) FROM published_scores s WHERE s.slot = p.slot) AS rows
     FROM published_batches p`,
    [],
  )
}

const query = (text: string, values: unknown[]): Promise<Record<string, unknown>[]> =>
  rowsOf(pipeline.stack.postgres.url('churnstream'), text, values)

/** The newest first. */
async function runsOf(job: string): Promise<Run[]> {
  const { runsOrError } = (await ask(
    `query ($job: String!) { runsOrError(filter: { pipelineName: $job }) {
      ... on Runs { results { runId status tags { key value } } } } }`,
    { job },
  )) as { runsOrError: { results: (Omit<Run, 'tags'> & { tags: KeyValue[] })[] } }
  return runsOrError.results.map((run) => ({
    ...run,
    tags: Object.fromEntries(
      run.tags.map(({ key, value }) => [key.replace('dagster/partition/', ''), value]),
    ),
  }))
}

interface KeyValue {
  key: string
  value: string
}

/** A run of the market's week that was published. */
async function launch(job: string): Promise<string> {
  const [first] = await published()
  const week = String(first?.['slot']).split('/')[2] as string
  const tags = Object.entries({
    'dagster/partition': `${market}|${week}`,
    'dagster/partition/market': market,
    'dagster/partition/week': week,
    'dagster/retry_strategy': 'ALL_STEPS',
  }).map(([key, value]) => ({ key, value }))
  const { launchRun } = (await ask(
    `mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
      __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }`,
    { params: { selector: { ...repository, jobName: job }, executionMetadata: { tags } } },
  )) as { launchRun: { __typename: string; run?: { runId: string } } }
  assert.ok(launchRun.run, JSON.stringify(launchRun))
  return launchRun.run.runId
}

async function endOf(runId: string): Promise<string> {
  return until(`the end of run ${runId}`, async () => {
    const { runOrError } = (await ask(
      `query ($runId: ID!) { runOrError(runId: $runId) { ... on Run { status } } }`,
      { runId },
    )) as { runOrError: { status: string } }
    return isOver(runOrError.status) ? runOrError.status : undefined
  })
}

async function messagesOf(runId: string): Promise<string[]> {
  const { logsForRun } = (await ask(
    `query ($runId: ID!) { logsForRun(runId: $runId) {
      ... on EventConnection { events { ... on MessageEvent { message eventType } } } } }`,
    { runId },
  )) as { logsForRun: { events: { message: string; eventType: string | null }[] } }
  return logsForRun.events.map(({ message, eventType }) => `${eventType} ${message}`)
}

/** @throws Error with Dagster's reason, also one that stands in the answer. */
async function ask(query: string, variables: Record<string, unknown>): Promise<unknown> {
  const answer = (await askDagster(pipeline.dagster?.url as string, query, variables)) as object
  for (const part of Object.values(answer) as { __typename?: string; message?: string }[]) {
    if (part.__typename !== undefined && !/Success|StateResult|^Sensor$/.test(part.__typename)) {
      throw new Error(`${part.__typename}: ${part.message}`)
    }
  }
  return answer
}

const until = <T>(what: string, look: () => Promise<T | undefined>): Promise<T> =>
  untilFound(what, look, {
    withinMs,
    check: () => assert.deepEqual(failures, []),
    told: () => notices.heard.map((notice) => JSON.stringify(notice)).join('\n'),
  })
