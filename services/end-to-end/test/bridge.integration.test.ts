// Do a real MLflow and the topics agree, whatever is lost, repeated, forged, killed or away?
import {
  aliases,
  createMlflow,
  promote,
  versionTags,
  type Mlflow,
} from '@churnstream/registry-bridge'
import { sign } from '@churnstream/registry-bridge/testing'
import { createKafkajsKafka, createLog, type Kafka } from '@churnstream/runtime'
import { readAll, until } from '@churnstream/runtime/testing'
import {
  DecodeProblem,
  Decoder,
  Schemas,
  type LoadReport,
  type RegistryEvent,
} from '@churnstream/schemas'
import { clusterTopics, topics } from '@churnstream/topology'
import { startStack, type OwnedProcess } from '@churnstream/topology/local'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../registry-bridge/src/main.ts', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-bridge-'))
const hourMs = '3600000'
const { champion, previous } = aliases
let stack: Awaited<ReturnType<typeof startStack>>
let kafka: Kafka
let mlflow: Mlflow
let schemas: Schemas
let s3: S3Client
/** MLflow knows one URL, so the bridges of all tests take turns on one port. */
let port: number
const running = new Set<OwnedProcess>()

before(async () => {
  stack = await startStack({
    dataDir,
    ports: 'free',
    parts: ['kafka', 'registry', 'mlflow'],
  })
  kafka = createKafkajsKafka({
    brokers: stack.kafka.brokers,
    clientId: 'test',
    log: createLog('test', 'error'),
  })
  await kafka.ensureTopics(clusterTopics())
  mlflow = createMlflow(stack.mlflow.url)
  schemas = new Schemas({ url: stack.registry.url })
  const { endpoint, region, accessKeyId, secretAccessKey } = stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  port = await freePort()
})
afterEach(async () => {
  await Promise.all([...running].map((bridge) => bridge.stop()))
  running.clear()
})
after(async () => {
  await kafka?.close()
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: found } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return found
}

interface BridgeProcess {
  readonly url: string
  readonly process: OwnedProcess
  readonly isReady: () => Promise<boolean>
}

let started = 0
async function startBridge(
  env: Record<string, string> = {},
  httpPort = port,
): Promise<BridgeProcess> {
  const url = `http://127.0.0.1:${httpPort}`
  const child = stack.spawn({
    name: `registry-bridge ${++started}`,
    command: process.execPath,
    args: [main],
    logFile: join(dataDir, 'logs', `bridge-${started}.log`),
    env: {
      ...stack.pythonEnv,
      KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
      SCHEMA_REGISTRY_URL: stack.registry.url,
      MLFLOW_TRACKING_URI: stack.mlflow.url,
      S3_ENDPOINT: stack.s3.endpoint,
      AWS_REGION: stack.s3.region,
      HTTP_PORT: String(httpPort),
      POLL_INTERVAL_MS: hourMs,
      REPORT_INTERVAL_MS: '200',
      WEBHOOK_URL: `http://127.0.0.1:${port}/webhooks/mlflow`,
      WEBHOOK_SECRETS: `${stack.mlflow.webhookSecret},an older one`,
      ...env,
    },
  })
  running.add(child)
  const isReady = async () =>
    (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok ?? false
  await until('the bridge is ready', async () => {
    assert.ok(!child.hasExited, `the bridge ended: see ${child.logFile}`)
    return isReady()
  })
  return { url, process: child, isReady }
}

async function callMlflow(method: string, path: string, body: object): Promise<unknown> {
  const response = await fetch(`${stack.mlflow.url}/api/2.0/mlflow/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer: unknown = await response.json()
  assert.ok(response.ok, `${path}: ${JSON.stringify(answer)}`)
  return answer
}

async function putFile(location: string, text: string): Promise<void> {
  const Key = `${location.slice(`s3://${stack.s3.bucket}/`.length)}/model.onnx`
  await s3.send(new PutObjectCommand({ Bucket: stack.s3.bucket, Key, Body: text }))
}

/** A model with that many versions, each a folder of one small file. */
async function makeModel(versions: number, name = `churn-${randomUUID()}`): Promise<string> {
  await callMlflow('POST', 'registered-models/create', { name })
  for (let version = 1; version <= versions; version++) {
    const source = `s3://${stack.s3.bucket}/made/${name}/${version}`
    await putFile(source, `${name} ${version}`)
    await callMlflow('POST', 'model-versions/create', { name, source })
  }
  return name
}

/** What the topic says of a key, oldest first. */
async function said(
  modelName: string,
  alias: string = champion,
): Promise<(RegistryEvent | null)[]> {
  const decoder = new Decoder('registry-event')
  const records = await readAll(kafka, topics.registryEvents.name, 0)
  await schemas.prepare(
    decoder,
    records.flatMap(({ value }) => (value === null ? [] : [value])),
  )
  return records
    .filter(({ key }) => String(key) === `${modelName}@${alias}`)
    .map(({ value }) => {
      const event = value === null ? null : decoder.decode(value)
      assert.ok(!(event instanceof DecodeProblem))
      return event
    })
}
const short = (events: (RegistryEvent | null)[]) =>
  events.map((event) => event && `${event.modelVersion} ${event.epoch} ${event.origin}`)

async function untilSaid(modelName: string, version: string | null, alias: string = champion) {
  let events: (RegistryEvent | null)[] = []
  await until(`${modelName}@${alias} is ${version}`, async () => {
    events = await said(modelName, alias)
    return events.length > 0 && (events.at(-1)?.modelVersion ?? null) === version
  })
  return events
}

const tagsOf = async (name: string, version: string): Promise<Readonly<Record<string, string>>> =>
  (await mlflow.version(name, version))?.tags ?? {}

const ourWebhooks = async () =>
  (await mlflow.webhooks()).filter(({ name }) => name === 'churnstream-registry-bridge')

async function report(changes: Partial<LoadReport> & { modelName: string }): Promise<void> {
  const whole: LoadReport = {
    alias: champion,
    replica: 'scorer-1',
    scorerVersion: '0.1.0',
    reportedAt: Date.now(),
    loadedVersion: null,
    loadedEpoch: -1,
    loadedAt: null,
    verdictVersion: null,
    verdictEpoch: -1,
    verdict: 'none',
    reason: '',
    detail: '',
    verdictAt: null,
    verdictFigures: [],
    shadowFigures: [],
    ...changes,
  }
  const topic = topics.loadReports.name
  const encoder = await schemas.encoderOf(topics.loadReports)
  const producer = await kafka.openProducer()
  const key = `${whole.modelName}@${whole.alias}#${whole.replica}`
  await producer.send([{ topic, partition: 0, key, value: encoder.encode(whole) }])
  await producer.close()
}

test('webhook - setting, moving and deleting an alias are announced without a poll', async () => {
  const name = await makeModel(2)
  await startBridge()
  await mlflow.setAlias(name, champion, '1')
  const [event] = await untilSaid(name, '1')
  assert.equal(event?.artifactLocation, `s3://${stack.s3.bucket}/made/${name}/1`)
  assert.deepEqual(
    event?.files.map(({ path, sizeBytes }) => [path, sizeBytes]),
    [['model.onnx', `${name} 1`.length]],
  )
  await mlflow.setAlias(name, champion, '2')
  await untilSaid(name, '2')
  await mlflow.deleteAlias(name, champion)
  await untilSaid(name, null)
  await mlflow.setAlias(name, champion, '1')
  const events = await untilSaid(name, '1')
  const epochs = events.flatMap((one) => one?.epoch ?? [])
  assert.deepEqual(
    epochs,
    [...new Set(epochs)].toSorted((a, b) => a - b),
  )
  assert.ok(events.every((one) => one === null || one.origin === 'webhook'))
})

test('webhook - MLflow has it once, as it should be, after every start', async () => {
  await Promise.all([startBridge(), startBridge({}, await freePort())])
  await until('one webhook', async () => (await ourWebhooks()).length > 0)
  const [kept] = await ourWebhooks()
  assert.ok(kept !== undefined)
  await mlflow.createWebhook({ ...kept, secret: 'forgotten' })
  await mlflow.updateWebhook(kept.id, { status: 'DISABLED', events: ['model_version.created'] })
  await Promise.all([...running].map((bridge) => bridge.stop()))
  await startBridge()
  const after = await ourWebhooks()
  assert.deepEqual(
    after.map(({ id, status, events }) => [id, status, events.length]),
    [[kept.id, 'ACTIVE', 4]],
  )
})

test('webhook - forged, old, replayed, malformed and misplaced requests change nothing', async () => {
  const name = await makeModel(2)
  const { url } = await startBridge({ POLL_INTERVAL_MS: hourMs })
  const place = `${url}/webhooks/mlflow`
  const secret = stack.mlflow.webhookSecret
  const now = Math.floor(Date.now() / 1000)
  const about = (model: string) =>
    JSON.stringify({ entity: 'model_version_alias', action: 'created', data: { name: model } })
  const send = async (given: {
    id?: string
    at?: number
    body?: string
    signature?: string | null
    key?: string
  }): Promise<string> => {
    const { id = randomUUID(), at = now, body = about(name), key = secret } = given
    const signature = given.signature ?? sign(key, id, String(at), Buffer.from(body))
    const response = await fetch(place, {
      method: 'POST',
      body,
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'x-mlflow-delivery-id': id,
        'x-mlflow-timestamp': String(at),
        ...(given.signature === null ? {} : { 'x-mlflow-signature': signature }),
      },
    })
    const answer = (await response.json()) as Record<string, string>
    return `${response.status} ${answer['error'] ?? answer['result']}`
  }
  assert.equal(await send({ id: 'replayed' }), '200 accepted')

  // Nobody tells of this move but the requests below: the real delivery was the bridge's only one.
  const others = await ourWebhooks()
  await Promise.all(others.map(({ id }) => mlflow.updateWebhook(id, { status: 'DISABLED' })))
  await mlflow.setAlias(name, champion, '1')
  assert.deepEqual(
    {
      replayed: await send({ id: 'replayed' }),
      unsigned: await send({ signature: null }),
      guessed: await send({ key: 'guessed' }),
      scheme: await send({ signature: 'v2,abc' }),
      old: await send({ at: now - 901 }),
      future: await send({ at: now + 930 }),
      malformed: await send({ body: '{"entity": ' }),
      foreign: await send({ body: about('fraud') }),
    },
    {
      replayed: '200 repeated',
      unsigned: '401 missing-signature',
      guessed: '401 bad-signature',
      scheme: '401 bad-signature',
      old: '401 too-old',
      future: '401 from-the-future',
      malformed: '400 malformed',
      foreign: '200 ignored',
    },
  )
  // Refused by its length, so the connection may be closed before the client has sent it all.
  const tooLarge = await send({ body: about(name) + ' '.repeat(1 << 20) }).catch(() => 'cut off')
  assert.match(tooLarge, /^(413 too-large|cut off)$/)
  const statusOf = async (method: string, at: string) =>
    (await fetch(at, { method, redirect: 'manual' })).status
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    assert.equal(await statusOf(method, place), 405, method)
  }
  assert.equal(await statusOf('POST', `${place}/`), 404)
  assert.equal(await statusOf('POST', `${url}/webhooks`), 404)
  assert.deepEqual(await said(name), [])
  const metrics = await (await fetch(`${url}/metrics`)).text()
  assert.match(metrics, /webhook_deliveries_total\{result="bad-signature"[^}]*\} 2/)
  assert.match(metrics, /webhook_deliveries_total\{result="too-large"[^}]*\} 1/)

  // An older secret still signs, while it is being rotated out.
  assert.equal(await send({ key: 'an older one' }), '200 accepted')
  assert.equal((await said(name)).at(-1)?.modelVersion, '1')
})

test('poll - finds what no delivery told of: moves, a deleted version, a kill -9 in between', async () => {
  const name = await makeModel(3)
  const nowhere = `http://127.0.0.1:${await freePort()}/webhooks/mlflow`
  const env = { POLL_INTERVAL_MS: '200', WEBHOOK_URL: nowhere }
  const { process: first } = await startBridge(env)
  await mlflow.setAlias(name, champion, '1')
  await untilSaid(name, '1')
  await mlflow.setAlias(name, champion, '2')
  await untilSaid(name, '2')
  await first.kill9()
  await mlflow.setAlias(name, champion, '3')
  await startBridge(env)
  await untilSaid(name, '3')
  await callMlflow('DELETE', 'model-versions/delete', { name, version: '3' })
  const events = await untilSaid(name, null)
  const epoch = events[0]?.epoch ?? Number.NaN
  assert.deepEqual(short(events), [
    `1 ${epoch} reconcile`,
    `2 ${epoch + 1} reconcile`,
    `3 ${epoch + 2} reconcile`,
    null,
  ])
})

test('two bridges and 30 moves - epochs rise, nothing is said twice, the end is what MLflow says', async () => {
  const name = await makeModel(5)
  const env = { POLL_INTERVAL_MS: '200' }
  const [first] = await Promise.all([startBridge(env), startBridge(env, await freePort())])
  for (let move = 1; move <= 30; move++) {
    const version = String(1 + ((move * 3) % 5))
    await mlflow.setAlias(name, champion, version)
    if (move % 4 === 0) await untilSaid(name, version)
    if (move === 15) {
      await first?.process.kill9()
      await startBridge(env)
    }
  }
  const events = await untilSaid(name, (await mlflow.model(name))?.aliases[champion] ?? '')
  // Moves between two polls are one event; the seven that were waited for differ, each is its own.
  assert.ok(events.length >= 7, `${events.length} events`)
  for (const [index, event] of events.entries()) {
    const before = events[index - 1]
    assert.ok(event !== null)
    assert.ok(!before || event.epoch > before.epoch, short(events).join())
    assert.notEqual(event.modelVersion, before?.modelVersion)
  }
})

test('a folder that holds nothing - is not announced, and MLflow hears why', async () => {
  const name = await makeModel(1)
  await startBridge({ POLL_INTERVAL_MS: '200' })
  await mlflow.setAlias(name, champion, '1')
  await untilSaid(name, '1')
  for (const source of ['made/nothing', 'other-bucket']) {
    const place =
      source === 'made/nothing' ? `s3://${stack.s3.bucket}/${source}` : `s3://${source}/x`
    const { model_version: made } = (await callMlflow('POST', 'model-versions/create', {
      name,
      source: place,
    })) as { model_version: { version: string } }
    await mlflow.setAlias(name, champion, made.version)
    await until(`the verdict on ${place}`, async () => {
      return (await tagsOf(name, made.version))[versionTags.verdict] === 'refused'
    })
    const tags = await tagsOf(name, made.version)
    assert.equal(tags[versionTags.verdictReason], 'artifact-unreadable')
  }
  assert.equal((await said(name)).length, 1)
})

test('load reports - verdicts and figures reach the version, its run and its logged model', async () => {
  const name = `churn-${randomUUID()}`
  await callMlflow('POST', 'registered-models/create', { name })
  const { experiment_id } = (await callMlflow('POST', 'experiments/create', { name })) as {
    experiment_id: string
  }
  const { run } = (await callMlflow('POST', 'runs/create', {
    experiment_id,
    start_time: Date.now(),
  })) as { run: { info: { run_id: string } } }
  const runId = run.info.run_id
  const logged = (await callMlflow('POST', 'logged-models', {
    experiment_id,
    name: 'model',
    source_run_id: runId,
  })) as { model: { info: { model_id: string; artifact_uri: string } } }
  const { model_id: modelId, artifact_uri: location } = logged.model.info
  await putFile(location, 'a model')
  await callMlflow('PATCH', `logged-models/${modelId}`, {
    model_id: modelId,
    status: 'LOGGED_MODEL_READY',
  })
  const source = `models:/${modelId}`
  await callMlflow('POST', 'model-versions/create', {
    name,
    source,
    run_id: runId,
    model_id: modelId,
  })
  const found = await mlflow.version(name, '1')
  assert.deepEqual([found?.runId, found?.modelId], [runId, modelId])

  await startBridge()
  const at = Date.now()
  await report({
    modelName: name,
    verdictVersion: '1',
    verdictEpoch: 1,
    verdict: 'accepted',
    verdictAt: at,
    verdictFigures: [{ name: 'microsecondsPerRow', value: 12.5 }],
  })
  const tags = () => tagsOf(name, '1')
  await until('the verdict', async () => (await tags())[versionTags.verdict] === 'accepted')
  assert.deepEqual(await tags(), {
    [versionTags.verdict]: 'accepted',
    [versionTags.verdictReason]: '',
    [versionTags.verdictDetail]: '',
    [versionTags.verdictAt]: new Date(at).toISOString(),
    [versionTags.verdictBy]: 'scorer-1 0.1.0',
    [versionTags.verdictFigures]: '{"microsecondsPerRow":12.5}',
  })
  for (const replica of ['scorer-1', 'scorer-2']) {
    await report({
      modelName: name,
      alias: aliases.challenger,
      replica,
      loadedVersion: '1',
      loadedEpoch: 3,
      loadedAt: at,
      shadowFigures: Object.entries({
        rows: 100,
        sameBand: 75,
        sumDifference: -10,
        sumAbsoluteDifference: 20,
        shadowMicroseconds: 3_000,
        championMicroseconds: 2_000,
        skippedRows: 1,
      }).map(([figure, value]) => ({ name: figure, value })),
    })
  }
  interface Metric {
    readonly key: string
    readonly value: number
    readonly step: number
  }
  const metricsOfRun = async () => {
    const response = await fetch(`${stack.mlflow.url}/api/2.0/mlflow/runs/get?run_id=${runId}`)
    const answer = (await response.json()) as { run: { data: { metrics?: Metric[] } } }
    return answer.run.data.metrics ?? []
  }
  await until('200 rows', async () =>
    (await metricsOfRun()).some(({ key, value }) => key === 'shadow_rows' && value === 200),
  )
  assert.deepEqual(
    Object.fromEntries((await metricsOfRun()).map(({ key, value, step }) => [key, [value, step]])),
    {
      shadow_agreement: [0.75, 200],
      shadow_score_shift: [-0.1, 200],
      shadow_mean_absolute_difference: [0.2, 200],
      shadow_microseconds_per_row: [30, 200],
      champion_microseconds_per_row: [20, 200],
      shadow_rows: [200, 200],
    },
  )
  const response = await fetch(`${stack.mlflow.url}/api/2.0/mlflow/logged-models/${modelId}`)
  const model = (await response.json()) as { model: { data: { metrics?: Metric[] } } }
  const ofModel = model.model.data.metrics ?? []
  assert.ok(ofModel.some(({ key, value }) => key === 'shadow_rows' && value === 200))
  const shadow = JSON.parse((await tags())[versionTags.shadow] ?? '{}') as Record<string, unknown>
  assert.deepEqual([shadow['epoch'], shadow['rows'], shadow['skippedRows']], [3, 200, 2])
})

test('automatic rollback - an unhealthy champion is replaced in MLflow and in the topic', async () => {
  const name = await makeModel(2)
  const both = await Promise.all([startBridge(), startBridge({}, await freePort())])
  await promote(mlflow, name, '1')
  await untilSaid(name, '1')
  await promote(mlflow, name, '2')
  const promoted = (await untilSaid(name, '2')).at(-1)
  await report({
    modelName: name,
    verdictVersion: '2',
    verdictEpoch: promoted?.epoch ?? Number.NaN,
    verdict: 'unhealthy',
    reason: 'scores-shifted',
    detail: 'by 0.7',
    verdictAt: Date.now(),
  })
  const events = await untilSaid(name, '1')
  assert.equal(events.at(-1)?.origin, 'rollback')
  assert.equal(events.length, 3)
  await untilSaid(name, '2', previous)
  const named = (await mlflow.model(name))?.aliases
  assert.deepEqual({ ...named }, { [champion]: '1', [previous]: '2' })
  await until('the verdict', async () => {
    return (await tagsOf(name, '2'))[versionTags.verdict] === 'unhealthy'
  })
  const tags = await tagsOf(name, '2')
  assert.match(tags[versionTags.rolledBack] ?? '', / automatic: scores-shifted: by 0\.7/)
  const done = await Promise.all(
    both.map(async ({ url }) => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      return Number(/rollbacks_total\{result="done"[^}]*\} (\d)/.exec(metrics)?.[1] ?? 0)
    }),
  )
  assert.ok(done[0] === 1 || done[1] === 1, `rollbacks counted: ${done.join()}`)
})

test('MLflow away - what is announced stays, deliveries are asked for again, and it goes on', async () => {
  const name = await makeModel(2)
  const { url, isReady } = await startBridge({ POLL_INTERVAL_MS: '200' })
  await mlflow.setAlias(name, champion, '1')
  await untilSaid(name, '1')
  await stack.servers.mlflow.stop()
  await until('it says so', async () => !(await isReady()))
  const body = JSON.stringify({ entity: 'a', action: 'b', data: { name } })
  const at = String(Math.floor(Date.now() / 1000))
  const response = await fetch(`${url}/webhooks/mlflow`, {
    method: 'POST',
    body,
    headers: {
      'x-mlflow-delivery-id': 'while-away',
      'x-mlflow-timestamp': at,
      'x-mlflow-signature': sign(stack.mlflow.webhookSecret, 'while-away', at, Buffer.from(body)),
    },
  })
  assert.equal(response.status, 503)
  await stack.servers.mlflow.start()
  await mlflow.setAlias(name, champion, '2')
  await untilSaid(name, '2')
  await until('it is ready', isReady)
})

test('Kafka away - a delivery is answered only when it is back, and nothing is lost or repeated', async () => {
  const name = await makeModel(2)
  const { isReady } = await startBridge({ POLL_INTERVAL_MS: '500' })
  await mlflow.setAlias(name, champion, '1')
  await untilSaid(name, '1')
  await stack.servers.kafka.kill9()
  await mlflow.setAlias(name, champion, '2')
  await until('it says so', async () => !(await isReady()))
  await stack.servers.kafka.start()
  // A broker that was killed reads its logs again first.
  await until('the broker answers', () =>
    kafka.endOffsets(topics.registryEvents.name).then(
      () => true,
      () => false,
    ),
  )
  const events = await untilSaid(name, '2')
  assert.deepEqual(
    events.map((event) => event?.modelVersion),
    ['1', '2'],
  )
  await until('it is ready', isReady)
})
