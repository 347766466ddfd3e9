// Does the topic end up saying what MLflow says, whatever is lost, repeated, forged or away?
import { Health, TransientError, createLog, createMetrics, type Kafka } from '@churnstream/runtime'
import { MemoryCluster, readAll, until } from '@churnstream/runtime/testing'
import {
  DecodeProblem,
  Decoder,
  Encoder,
  recordNames,
  type LoadReport,
  type RecordName,
  type RegistryEvent,
} from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DescribeFolder } from './artifacts.ts'
import { createBridge, type BridgeOptions } from './bridge.ts'
import { modelTags, versionTags } from './contract.ts'
import { createBridgeMetrics } from './metrics.ts'
import { MemoryMlflow, awayAt } from './memory-mlflow.ts'
import { pin, promote, rollBack } from './moves.ts'
import { sign } from './signature.ts'

const name = 'churn-gb'
const champion = `${name}@champion`
const secret = 'a secret'
const startMs = Date.UTC(2026, 0, 2)
const hourMs = 3_600_000

const schemas = {
  encoderOf: async <N extends RecordName>({ record }: { readonly record: N }) =>
    new Encoder(record, recordNames.indexOf(record) + 1),
  ...fixedSchemas(Object.fromEntries(recordNames.map((record, index) => [index + 1, record]))),
}

const digestOfLocation: DescribeFolder = async (location) => [
  { path: 'model.onnx', sha256: location, sizeBytes: 1 },
]

interface World {
  readonly kafka: Kafka
  readonly cluster: MemoryCluster
  readonly mlflow: MemoryMlflow
  now: number
}

async function world(versions = 5): Promise<World> {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  await kafka.ensureTopics(
    [topics.registryEvents, topics.loadReports, topics.modelMonitoring].map(({ name: topic }) => ({
      name: topic,
      partitions: 1,
      config: {},
    })),
  )
  const mlflow = new MemoryMlflow()
  for (let version = 0; version < versions; version++) mlflow.addVersion(name)
  return { kafka, cluster, mlflow, now: startMs }
}

/** A bridge that polls at its start and then hardly ever, unless told otherwise. */
async function started(t: TestContext, of: World, changes: Partial<BridgeOptions> = {}) {
  const metrics = createMetrics('test')
  const bridgeMetrics = createBridgeMetrics(metrics)
  const health = new Health()
  const bridge = createBridge({
    kafka: of.kafka,
    schemas,
    mlflow: of.mlflow,
    describeFolder: digestOfLocation,
    namePrefix: 'churn-',
    pollIntervalMs: hourMs,
    reportIntervalMs: 50,
    automaticRollback: true,
    webhook: { url: undefined, secrets: [secret], windowMs: 900_000 },
    by: 'registry-bridge 0.1.0',
    now: () => of.now,
    log: createLog('test', 'silent'),
    health,
    metrics: bridgeMetrics,
    ...changes,
  })
  const ended = new AbortController()
  const running = bridge.run(ended.signal)
  const stop = async (): Promise<void> => {
    ended.abort('done')
    await running
  }
  t.after(stop)
  await until('the first poll', () => health.state.ready)
  let deliveries = 0
  return {
    bridge,
    stop,
    health,
    /** What a webhook of MLflow would send for a model. */
    deliver: async (
      model = name,
      { id = `delivery-${++deliveries}`, key = secret, ageMs = 0 } = {},
    ) => {
      const body = Buffer.from(
        JSON.stringify({ entity: 'model_version_alias', action: 'created', data: { name: model } }),
      )
      const timestamp = String(Math.floor((of.now - ageMs) / 1_000))
      return bridge.receive(
        {
          'x-mlflow-delivery-id': id,
          'x-mlflow-timestamp': timestamp,
          'x-mlflow-signature': sign(key, id, timestamp, body),
        },
        body,
      )
    },
    count: async (metric: string, labels: Record<string, string>): Promise<number> => {
      const found = await metrics.registry.getSingleMetric(metric)?.get()
      const value = found?.values.find((one) =>
        Object.entries(labels).every(([label, wanted]) => one.labels[label] === wanted),
      )
      return value?.value ?? 0
    },
  }
}

interface Said {
  readonly key: string
  readonly event: RegistryEvent | null
}

async function said(kafka: Kafka): Promise<Said[]> {
  const decoder = new Decoder('registry-event')
  const records = await readAll(kafka, topics.registryEvents.name, 0)
  await schemas.prepare(
    decoder,
    records.map(({ value }) => value),
  )
  return records.map(({ key, value }) => {
    const event = value === null ? null : decoder.decode(value)
    assert.ok(!(event instanceof DecodeProblem))
    return { key: String(key), event }
  })
}
const short = (all: Said[]): unknown[] =>
  all.map(({ key, event }) => [key, event && [event.modelVersion, event.epoch, event.origin]])

async function writeReport(kafka: Kafka, changes: Partial<LoadReport>): Promise<void> {
  const report: LoadReport = {
    modelName: name,
    alias: 'champion',
    replica: 'a',
    scorerVersion: '0.2.0',
    reportedAt: startMs,
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
  const encoder = await schemas.encoderOf(topics.loadReports)
  const key = `${report.modelName}@${report.alias}#${report.replica}`
  await writeValue(kafka, topics.loadReports.name, key, encoder.encode(report))
}

async function writeValue(
  kafka: Kafka,
  topic: string,
  key: string,
  value: Buffer | null,
): Promise<void> {
  const producer = await kafka.openProducer()
  await producer.send([{ topic, partition: 0, key, value }])
  await producer.close()
}

const verdictOf = (epoch: number, verdict: string, modelVersion = '2'): Partial<LoadReport> => ({
  verdictVersion: modelVersion,
  verdictEpoch: epoch,
  verdict,
  reason: verdict === 'accepted' ? '' : 'scores-shifted',
  detail: verdict === 'accepted' ? '' : 'by 0.7',
  verdictAt: startMs,
})

test('Bridge - a delivery is announced before it is answered', async (t) => {
  const of = await world()
  const { deliver, count } = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '1')
  assert.deepEqual(await deliver(), { status: 200, body: { result: 'accepted' } })
  assert.deepEqual(short(await said(of.kafka)), [[champion, ['1', 1, 'webhook']]])
  assert.equal(await count('churnstream_registry_events_total', { origin: 'webhook' }), 1)
})

test('Bridge - what no delivery told of is found by polling, deletions too', async (t) => {
  const of = await world()
  await started(t, of, { pollIntervalMs: 5 })
  await of.mlflow.setAlias(name, 'champion', '1')
  await until('the event', async () => (await said(of.kafka)).length === 1)
  await of.mlflow.deleteAlias(name, 'champion')
  await until('the tombstone', async () => (await said(of.kafka)).length === 2)
  assert.deepEqual(short(await said(of.kafka)), [
    [champion, ['1', 1, 'reconcile']],
    [champion, null],
  ])
})

test('Bridge - forged, old, replayed, malformed and foreign deliveries change nothing', async (t) => {
  const of = await world()
  const { bridge, deliver, count } = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '1')
  assert.equal((await deliver(name, { id: 'once' })).status, 200)
  await of.mlflow.setAlias(name, 'champion', '2')
  of.mlflow.failpoint = (method) => assert.fail(`${method} was asked`)
  const answers = [
    await deliver(name, { id: 'once' }),
    await deliver(name, { key: 'guessed' }),
    await deliver(name, { ageMs: 900_001 }),
    await deliver(name, { ageMs: -902_000 }),
    await deliver('fraud-gb'),
    await bridge.receive({}, Buffer.from('{}')),
  ]
  of.mlflow.failpoint = () => undefined
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body['error'] ?? body['result']]),
    [
      [200, 'repeated'],
      [401, 'bad-signature'],
      [401, 'too-old'],
      [401, 'from-the-future'],
      [200, 'ignored'],
      [401, 'missing-signature'],
    ],
  )
  assert.equal((await said(of.kafka)).length, 1)
  assert.equal(await count('churnstream_webhook_deliveries_total', { result: 'repeated' }), 1)
  assert.equal(await count('churnstream_webhook_deliveries_total', { result: 'too-old' }), 1)
})

test('Bridge - a signed body that is no event is malformed', async (t) => {
  const { bridge } = await started(t, await world())
  for (const text of ['', 'null', '[]', '{"entity": 1}', '{"entity": "a", "action": "b"']) {
    const body = Buffer.from(text)
    const timestamp = String(startMs / 1_000)
    const answer = await bridge.receive(
      {
        'x-mlflow-delivery-id': text,
        'x-mlflow-timestamp': timestamp,
        'x-mlflow-signature': sign(secret, text, timestamp, body),
      },
      body,
    )
    assert.deepEqual(answer, { status: 400, body: { error: 'malformed' } })
  }
})

test('Bridge - MLflow away: asked to deliver again, and then the same delivery does its work', async (t) => {
  const of = await world()
  const { deliver } = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '1')
  of.mlflow.failpoint = awayAt('model', 1)
  assert.equal((await deliver(name, { id: 'again' })).status, 503)
  assert.deepEqual((await deliver(name, { id: 'again' })).body, { result: 'accepted' })
  assert.deepEqual((await deliver(name, { id: 'again' })).body, { result: 'repeated' })
  assert.equal((await said(of.kafka)).length, 1)
})

test('Bridge - a delivery that failed is made up for without another', async (t) => {
  const of = await world()
  const { deliver } = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '1')
  of.mlflow.failpoint = awayAt('model', 1)
  assert.equal((await deliver()).status, 503)
  await until('the event', async () => (await said(of.kafka)).length === 1)
  assert.deepEqual(short(await said(of.kafka)), [[champion, ['1', 1, 'reconcile']]])
})

test('Bridge - deliveries in one burst are served by few readings and all answered', async (t) => {
  const of = await world()
  const { deliver } = await started(t, of)
  let readings = 0
  of.mlflow.failpoint = (method) => void (readings += method === 'model' ? 1 : 0)
  await of.mlflow.setAlias(name, 'champion', '3')
  const answers = await Promise.all(Array.from({ length: 40 }, () => deliver()))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.ok(readings < 8, `${readings} readings`)
  assert.equal((await said(of.kafka)).length, 1)
})

test('Bridge - a commit of unknown outcome is neither lost nor repeated', async (t) => {
  for (const point of ['before-commit', 'after-commit'] as const) {
    const of = await world()
    const { deliver, stop } = await started(t, of)
    let thrown = 0
    of.cluster.failpoint = (reached) => {
      if (reached === point && thrown++ === 0) throw new TransientError('the connection broke')
    }
    await of.mlflow.setAlias(name, 'champion', '1')
    assert.equal((await deliver(name, { id: 'x' })).status, 503)
    assert.equal((await deliver(name, { id: 'x' })).status, 200)
    const found = (await said(of.kafka)).map(({ event }) => [event?.modelVersion, event?.epoch])
    assert.deepEqual(found, [['1', 1]])
    await stop()
  }
})

test('Bridge - two at once and 30 moves: epochs rise, nothing is said twice, the end is right', async (t) => {
  const of = await world()
  const both = [await started(t, of), await started(t, of)]
  for (let move = 1; move <= 30; move++) {
    await of.mlflow.setAlias(name, 'champion', String(1 + (move % 5)))
    // Often both hear of it at the same moment.
    const told = both.filter((_, index) => move % 3 !== index)
    await Promise.all(told.map(({ deliver }) => deliver(name, { id: String(move) })))
  }
  await until(
    'the last move',
    async () => (await said(of.kafka)).at(-1)?.event?.modelVersion === '1',
  )
  const events = (await said(of.kafka)).map(({ event }) => event as RegistryEvent)
  for (const [index, event] of events.entries()) {
    const before = events[index - 1]
    assert.ok(before === undefined || event.epoch > before.epoch, JSON.stringify(events))
    assert.notEqual(event.modelVersion, before?.modelVersion)
  }
})

test('Bridge - an idle one hears what another wrote before it says nothing is new', async (t) => {
  const of = await world()
  const idle = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '1')
  await idle.deliver()
  const other = await started(t, of)
  await of.mlflow.setAlias(name, 'champion', '2')
  await other.deliver()
  await other.stop()
  await of.mlflow.setAlias(name, 'champion', '1')
  await idle.deliver(name, { id: 'later' })
  await until('version 1 again', async () => (await said(of.kafka)).length === 3)
  assert.deepEqual(
    (await said(of.kafka)).map(({ event }) => [event?.modelVersion, event?.epoch]),
    [
      ['1', 1],
      ['2', 2],
      ['1', 3],
    ],
  )
})

test('Bridge - one that read MLflow before another wrote never takes that back', async (t) => {
  for (const wroteBefore of [false, true]) {
    const of = await world()
    let hold: PromiseWithResolvers<void> | undefined
    let reached = false
    const slow = await started(t, of, {
      async describeFolder(location) {
        reached = true
        await hold?.promise
        return digestOfLocation(location)
      },
    })
    if (wroteBefore) {
      await of.mlflow.setAlias(name, 'champion', '1')
      await slow.deliver()
    }
    const quick = await started(t, of)
    hold = Promise.withResolvers()
    reached = false
    await of.mlflow.setAlias(name, 'champion', '2')
    const answered = slow.deliver(name, { id: 'slow' })
    await until('version 2 is read', () => reached)
    await of.mlflow.setAlias(name, 'champion', '3')
    await quick.deliver(name, { id: 'quick' })
    hold.resolve()
    await answered
    const versions = (await said(of.kafka)).map(({ event }) => event?.modelVersion)
    assert.deepEqual(versions, wroteBefore ? ['1', '3'] : ['3'])
    await Promise.all([slow.stop(), quick.stop()])
  }
})

test('Bridge - an alias that returns after its tombstone was compacted away has a higher epoch', async (t) => {
  const of = await world()
  const first = await started(t, of)
  for (const version of ['1', '2', '3', '4']) {
    await of.mlflow.setAlias(name, 'champion', version)
    await first.deliver(name, { id: version })
  }
  await of.mlflow.deleteAlias(name, 'champion')
  await first.deliver(name, { id: 'deleted' })
  await first.stop()
  const compacted: Kafka = {
    ...of.kafka,
    // Nothing is left of the key.
    async *read(topic, partition, from) {
      if (from !== undefined) yield* of.kafka.read(topic, partition, from)
    },
  }
  await of.mlflow.setAlias(name, 'champion', '5')
  await started(t, { ...of, kafka: compacted })
  const epochs = (await said(of.kafka)).flatMap(({ event }) => event?.epoch ?? [])
  assert.deepEqual(epochs.slice(0, 4), [1, 2, 3, 4])
  assert.ok((epochs[4] as number) > 4, `epochs ${epochs.join()}`)
})

test('Bridge - what it wrote and the topic does not show yet is not said again', async (t) => {
  const of = await world()
  let shown = Infinity
  // A commit is acknowledged before its end is in the topic, and until then readers see nothing.
  const late: Kafka = {
    ...of.kafka,
    async endOffsets(topic) {
      const [end = 0n] = await of.kafka.endOffsets(topic)
      return [shown === Infinity ? end + 1n : end]
    },
    async *read(topic, partition, from) {
      for await (const records of of.kafka.read(topic, partition, from)) {
        yield records.filter(({ offset }) => offset < shown)
      }
    },
  }
  const { deliver } = await started(t, { ...of, kafka: late })
  for (const hidden of [0, 1, Infinity]) {
    shown = hidden
    await of.mlflow.setAlias(name, 'champion', '1')
    await deliver()
    await deliver()
    await of.mlflow.setAlias(name, 'champion', '2')
    await deliver()
    await of.mlflow.deleteAlias(name, 'champion')
    await deliver()
    await deliver()
  }
  const versions = (await said(of.kafka)).map(({ event }) => event?.modelVersion ?? null)
  assert.deepEqual(versions, ['1', '2', null, '1', '2', null, '1', '2', null])
  const epochs = (await said(of.kafka)).flatMap(({ event }) => event?.epoch ?? [])
  assert.deepEqual(
    epochs,
    [...new Set(epochs)].toSorted((a, b) => a - b),
  )
})

test('Bridge - an unreadable registry event is mended by a new one', async (t) => {
  const of = await world()
  const topic = topics.registryEvents.name
  await of.mlflow.setAlias(name, 'champion', '1')
  await writeValue(of.kafka, topic, champion, Buffer.from('no event'))
  const { count } = await started(t, of)
  assert.equal((await readAll(of.kafka, topic, 0)).length, 2)
  assert.equal(await count('churnstream_unreadable_records_total', { topic }), 1)
})

test('Bridge - a folder that can not be announced leaves what was announced, and MLflow hears why', async (t) => {
  const of = await world()
  await of.mlflow.setAlias(name, 'champion', '1')
  const empty = new Set<string>()
  const describeFolder: DescribeFolder = async (location) =>
    empty.has(location) ? { problem: `${location} holds no files` } : digestOfLocation(location)
  await started(t, of, { describeFolder, pollIntervalMs: 5 })
  const location = await of.mlflow.artifactLocation(name, '2')
  empty.add(location)
  of.mlflow.addVersion('churn-other')
  await of.mlflow.setAlias(name, 'champion', '2')
  await of.mlflow.setAlias('churn-other', 'champion', '1')
  const tags = async () => (await of.mlflow.version(name, '2'))?.tags ?? {}
  await until('the tags', async () => (await tags())[versionTags.verdict] === 'refused')
  assert.equal((await tags())[versionTags.verdictReason], 'artifact-unreadable')
  assert.match((await tags())[versionTags.verdictDetail] ?? '', /holds no files/)
  assert.equal((await tags())[versionTags.verdictBy], 'registry-bridge 0.1.0')
  assert.deepEqual(
    (await said(of.kafka)).map(({ key, event }) => [key, event?.modelVersion]),
    [
      [champion, '1'],
      ['churn-other@champion', '1'],
    ],
  )
  const epochNow = 1
  await writeReport(of.kafka, verdictOf(epochNow, 'accepted', '2'))
  empty.delete(location)
  await until('version 2', async () => (await said(of.kafka)).at(-1)?.event?.modelVersion === '2')
  await writeReport(of.kafka, verdictOf(epochNow + 1, 'accepted', '2'))
  await until('the scorer speaks', async () => (await tags())[versionTags.verdict] === 'accepted')
  assert.equal((await tags())[versionTags.verdictReason], '')
})

test("Bridge - one folder's trouble does not hold up the others", async (t) => {
  const of = await world()
  await of.mlflow.setAlias(name, 'champion', '1')
  let away = false
  const describeFolder: DescribeFolder = async (location) => {
    if (away && location.includes(name)) throw new TransientError('S3 is away')
    return digestOfLocation(location)
  }
  const { health } = await started(t, of, { describeFolder, pollIntervalMs: 5 })
  away = true
  of.mlflow.addVersion('churn-other')
  await of.mlflow.setAlias(name, 'champion', '2')
  await of.mlflow.setAlias('churn-other', 'champion', '1')
  await until('the other model', async () => (await said(of.kafka)).length === 2)
  await until('it says so', () => !health.state.ready)
  away = false
  await until('version 2', async () => (await said(of.kafka)).length === 3)
  await until('it is ready', () => health.state.ready)
})

test('Bridge - bytes that differ from what another bridge announced are hashed again first', async (t) => {
  const of = await world()
  let bytes = 'old'
  const describeFolder: DescribeFolder = async () => [
    { path: 'model.onnx', sha256: bytes, sizeBytes: 1 },
  ]
  await of.mlflow.setAlias(name, 'champion', '1')
  const older = await started(t, of, { describeFolder })
  bytes = 'new'
  const newer = await started(t, of, { describeFolder })
  for (let round = 0; round < 3; round++) {
    await older.deliver(name, { id: `a${round}` })
    await newer.deliver(name, { id: `b${round}` })
  }
  assert.deepEqual(
    (await said(of.kafka)).map(({ event }) => event?.files[0]?.sha256),
    ['old', 'new'],
  )
})

test('Bridge - the webhook in MLflow is created once, repaired, thinned out; its trouble stops nothing', async (t) => {
  const of = await world()
  const webhook = { url: 'http://bridge/webhooks/mlflow', secrets: ['new', 'old'], windowMs: 1_000 }
  const options = { webhook, pollIntervalMs: 5 }
  const named = () => of.mlflow.webhooks()

  of.mlflow.failpoint = awayAt('createWebhook', 1, 3)
  const first = await started(t, of, options)
  await until('one webhook', async () => (await named()).length === 1)
  const [created] = await named()
  assert.equal(of.mlflow.secretOf(created?.id ?? ''), 'new')
  await first.stop()
  await of.mlflow.createWebhook({
    ...webhook,
    name: created?.name ?? '',
    events: [],
    status: 'ACTIVE',
    secret: 'x',
  })
  await of.mlflow.createWebhook({
    name: 'of-another',
    url: 'http://other',
    events: [],
    status: 'ACTIVE',
    secret: 'y',
  })
  await of.mlflow.updateWebhook(created?.id ?? '', { status: 'DISABLED', secret: 'z' })

  await started(t, of, options)
  await until('one of ours', async () => (await named()).length === 2)
  await until('active', async () => (await named())[0]?.status === 'ACTIVE')
  assert.equal(of.mlflow.secretOf(created?.id ?? ''), 'new')
  assert.deepEqual((await named())[0]?.events, created?.events)
  assert.equal((await named())[1]?.name, 'of-another')
  await of.mlflow.deleteWebhook(created?.id ?? '')
  await until('there again', async () => (await named()).length === 2)
})

test('Bridge - verdicts reach the version, once, worst first', async (t) => {
  const of = await world()
  await started(t, of)
  await writeReport(of.kafka, verdictOf(3, 'accepted'))
  await writeReport(of.kafka, {
    ...verdictOf(3, 'refused'),
    replica: 'b',
    detail: 'x'.repeat(2_000),
  })
  await writeReport(of.kafka, { ...verdictOf(3, 'accepted'), replica: 'c' })
  await writeReport(of.kafka, { ...verdictOf(3, 'accepted', '77') })
  const tags = async () => (await of.mlflow.version(name, '2'))?.tags ?? {}
  await until('the tags', async () => (await tags())[versionTags.verdict] === 'refused')
  assert.deepEqual(await tags(), {
    [versionTags.verdict]: 'refused',
    [versionTags.verdictReason]: 'scores-shifted',
    [versionTags.verdictDetail]: 'x'.repeat(1_000),
    [versionTags.verdictAt]: new Date(startMs).toISOString(),
    [versionTags.verdictBy]: 'b 0.2.0',
    [versionTags.verdictFigures]: '{}',
  })
  const writes = of.mlflow.changes.length
  // A heartbeat of each replica, and then a verdict on another version to wait for.
  for (const replica of ['a', 'c']) {
    await writeReport(of.kafka, { ...verdictOf(3, 'accepted'), replica, reportedAt: startMs + 1 })
  }
  await writeReport(of.kafka, verdictOf(4, 'accepted', '3'))
  await until('version 3', async () => {
    const found = await of.mlflow.version(name, '3')
    return found?.tags[versionTags.verdict] === 'accepted'
  })
  assert.equal(of.mlflow.changes.length, writes + 1)
})

test('Bridge - a last word that is deleted at once is heard; unreadable reports stop nothing', async (t) => {
  const of = await world()
  const topic = topics.loadReports.name
  await writeValue(of.kafka, topic, `${champion}#x`, Buffer.from('no report'))
  await writeReport(of.kafka, verdictOf(3, 'refused'))
  await writeValue(of.kafka, topic, `${champion}#a`, null)
  const { count } = await started(t, of)
  await until('the verdict', async () => {
    const found = await of.mlflow.version(name, '2')
    return found?.tags[versionTags.verdict] === 'refused'
  })
  assert.equal(await count('churnstream_unreadable_records_total', { topic }), 1)
})

test('Bridge - MLflow away while scorers report: told when it is back', async (t) => {
  const of = await world()
  await started(t, of)
  of.mlflow.failpoint = awayAt('setVersionTags', 1, 2)
  await writeReport(of.kafka, verdictOf(3, 'refused'))
  await until('the verdict', async () => {
    const found = await of.mlflow.version(name, '2')
    return found?.tags[versionTags.verdict] === 'refused'
  })
})

test('Bridge - figures of a challenger: the sum of its replicas as tag and metrics, after it went too', async (t) => {
  const of = await world(0)
  of.mlflow.addVersion(name, { runId: 'run-1', modelId: 'm-1' })
  await started(t, of)
  const figures = (rows: number, replica: string): Partial<LoadReport> => ({
    alias: 'challenger',
    replica,
    reportedAt: startMs + rows,
    loadedVersion: '1',
    loadedEpoch: 6,
    loadedAt: startMs,
    shadowFigures: Object.entries({
      rows,
      sameBand: rows / 2,
      sumDifference: rows / 4,
      sumAbsoluteDifference: rows / 4,
      shadowMicroseconds: rows * 8,
      championMicroseconds: rows * 4,
      skippedRows: 1,
    }).map(([figure, value]) => ({ name: figure, value })),
  })
  await writeReport(of.kafka, figures(8, 'a'))
  await writeReport(of.kafka, figures(4, 'b'))
  const tag = async () => {
    const text = (await of.mlflow.version(name, '1'))?.tags[versionTags.shadow] ?? '{}'
    return JSON.parse(text) as Record<string, unknown>
  }
  await until('12 rows', async () => (await tag())['rows'] === 12)
  of.now += hourMs
  await writeReport(of.kafka, figures(20, 'a'))
  await writeReport(of.kafka, { alias: 'challenger', reportedAt: startMs + 99 })
  await until('24 rows', async () => (await tag())['rows'] === 24)
  assert.deepEqual(await tag(), {
    epoch: 6,
    rows: 24,
    skippedRows: 2,
    agreement: 0.5,
    scoreShift: 0.25,
    meanAbsoluteDifference: 0.25,
    shadowMicrosecondsPerRow: 8,
    championMicrosecondsPerRow: 4,
    updatedAt: new Date(startMs + 20).toISOString(),
  })
  assert.deepEqual(of.mlflow.logged.at(-1), {
    runId: 'run-1',
    options: { modelId: 'm-1', step: 24, atMs: startMs + 20 },
    metrics: {
      shadow_agreement: 0.5,
      shadow_score_shift: 0.25,
      shadow_mean_absolute_difference: 0.25,
      shadow_microseconds_per_row: 8,
      champion_microseconds_per_row: 4,
      shadow_rows: 24,
    },
  })
})

test('Bridge - windows become metrics of the run, also when MLflow was away; an unknown version is passed', async (t) => {
  const of = await world(0)
  of.mlflow.addVersion(name, { runId: 'run-1' })
  of.mlflow.failpoint = awayAt('logMetrics', 1)
  await started(t, of)
  const encoder = new Encoder('monitoring-window', recordNames.indexOf('monitoring-window') + 1)
  const window = (modelVersion: string, toDay: number, value: number): Buffer =>
    encoder.encode({
      modelName: name,
      modelVersion,
      role: 'champion',
      market: '*',
      segment: '*',
      kind: 'performance',
      fromDay: toDay - 6,
      toDay,
      rows: 2_000,
      state: 'ok',
      isConfirmed: false,
      statistics: [
        { name: 'auc', subject: '', value, low: null, high: null, threshold: 0.75, state: 'ok' },
      ],
    })
  const producer = await of.kafka.openProducer()
  const { name: topic } = topics.modelMonitoring
  const values = [window('1', 20_006, 0.8), window('77', 20_006, 0.7), window('1', 20_013, 0.79)]
  await producer.send(values.map((value) => ({ topic, partition: 0, key: name, value })))
  await until('both windows are told', () => of.mlflow.logged.length === 2)
  assert.deepEqual(
    of.mlflow.logged.map(({ runId, metrics, options }) => [
      runId,
      metrics['monitor_auc'],
      options.step,
    ]),
    [
      ['run-1', 0.8, 20_006],
      ['run-1', 0.79, 20_013],
    ],
  )
})

/** Version 2 is champion in epoch 2, after version 1. */
async function promotedTwice(of: World, deliver: () => Promise<unknown>): Promise<void> {
  await promote(of.mlflow, name, '1')
  await deliver()
  await promote(of.mlflow, name, '2')
  await deliver()
  const last = (await said(of.kafka)).findLast(({ key }) => key === champion)
  assert.deepEqual([last?.event?.modelVersion, last?.event?.epoch], ['2', 2])
}
const newestChampion = async (of: World): Promise<unknown[]> => {
  const last = (await said(of.kafka)).findLast(({ key }) => key === champion)
  return [last?.event?.modelVersion, last?.event?.epoch, last?.event?.origin]
}

test('Bridge - an unhealthy champion is rolled back, once, by two bridges too', async (t) => {
  const of = await world()
  const both = [await started(t, of), await started(t, of)]
  await promotedTwice(of, () => (both[0] as (typeof both)[0]).deliver())
  await writeReport(of.kafka, verdictOf(2, 'unhealthy'))
  await until('version 1', async () => (await newestChampion(of))[0] === '1')
  assert.deepEqual(await newestChampion(of), ['1', 3, 'rollback'])
  await until('the verdict', async () => {
    const found = await of.mlflow.version(name, '2')
    return found?.tags[versionTags.verdict] === 'unhealthy'
  })
  const { tags, aliases } = (await of.mlflow.version(name, '2')) ?? {}
  assert.match(tags?.[versionTags.rolledBack] ?? '', /automatic: scores-shifted: by 0.7 \(a\)$/)
  assert.deepEqual(aliases, ['previous'])
  assert.deepEqual((await of.mlflow.version(name, '1'))?.aliases, ['champion'])
  // What a scorer says of the version that stands warm now does not whitewash it.
  await writeReport(of.kafka, {
    ...verdictOf(9, 'accepted'),
    alias: 'previous',
    verdictAt: startMs + 5_000,
  })
  await writeReport(of.kafka, verdictOf(9, 'accepted', '3'))
  await until('all is read', async () => {
    const found = await of.mlflow.version(name, '3')
    return found?.tags[versionTags.verdict] === 'accepted'
  })
  assert.equal((await of.mlflow.version(name, '2'))?.tags[versionTags.verdict], 'unhealthy')
})

test('Bridge - whoever announces it, an automatic rollback is said to be one, and no other move', async (t) => {
  for (const [kind, origin] of [
    ['automatic', 'rollback'],
    ['manual', 'webhook'],
  ] as const) {
    const of = await world()
    const { deliver, stop } = await started(t, of)
    await promotedTwice(of, deliver)
    await rollBack(of.mlflow, name, { kind, reason: 'scores shifted', nowMs: startMs })
    await deliver()
    assert.deepEqual(await newestChampion(of), ['1', 3, origin])
    await stop()
  }
})

test('Bridge - a verdict on another epoch or version rolls nothing back', async (t) => {
  const of = await world()
  const { deliver } = await started(t, of)
  await promotedTwice(of, deliver)
  await writeReport(of.kafka, { ...verdictOf(2, 'unhealthy', '5'), replica: 'b' })
  await writeReport(of.kafka, verdictOf(1, 'unhealthy'))
  await writeReport(of.kafka, { ...verdictOf(2, 'unhealthy'), replica: 'c', alias: 'challenger' })
  await writeReport(of.kafka, { ...verdictOf(2, 'refused', '4'), replica: 'd' })
  await until('all is read', async () => {
    const found = await of.mlflow.version(name, '4')
    return found?.tags[versionTags.verdict] === 'refused'
  })
  assert.deepEqual((await of.mlflow.model(name))?.aliases, { champion: '2', previous: '1' })
  // An old verdict, told again after the new one, does not hide it.
  await writeReport(of.kafka, { ...verdictOf(2, 'unhealthy'), replica: 'e' })
  await writeReport(of.kafka, verdictOf(1, 'unhealthy'))
  await until('version 1', async () => (await newestChampion(of))[0] === '1')
})

test('Bridge - a rollback that can not be is said once, and done when it can be', async (t) => {
  const of = await world()
  const { deliver, count } = await started(t, of)
  await promotedTwice(of, deliver)
  await pin(of.mlflow, name, '2')
  await writeReport(of.kafka, verdictOf(2, 'unhealthy'))
  const pinned = () => count('churnstream_rollbacks_total', { result: 'pinned' })
  await until('it is said', async () => (await pinned()) === 1)
  await until('the verdict is told all the same', async () => {
    const found = await of.mlflow.version(name, '2')
    return found?.tags[versionTags.verdict] === 'unhealthy'
  })
  assert.equal((await of.mlflow.model(name))?.tags[modelTags.pinned], '2')
  await pin(of.mlflow, name, undefined)
  await until('version 1', async () => (await newestChampion(of))[0] === '1')
  assert.equal(await pinned(), 1)
  assert.equal(await count('churnstream_rollbacks_total', { result: 'done' }), 1)
})

test('Bridge - cut off within a rollback, it is finished', async (t) => {
  for (const call of [1, 2]) {
    const of = await world()
    const { deliver, stop } = await started(t, of)
    await promotedTwice(of, deliver)
    of.mlflow.failpoint = awayAt('setAlias', call)
    await writeReport(of.kafka, verdictOf(2, 'unhealthy'))
    await until('version 1', async () => (await newestChampion(of))[0] === '1')
    assert.deepEqual(await newestChampion(of), ['1', 3, 'rollback'])
    await stop()
  }
})

test('Bridge - told not to, it rolls nothing back', async (t) => {
  const of = await world()
  const { deliver } = await started(t, of, { automaticRollback: false })
  await promotedTwice(of, deliver)
  await writeReport(of.kafka, verdictOf(2, 'unhealthy'))
  await until('the verdict', async () => {
    const found = await of.mlflow.version(name, '2')
    return found?.tags[versionTags.verdict] === 'unhealthy'
  })
  assert.deepEqual((await of.mlflow.model(name))?.aliases, { champion: '2', previous: '1' })
})
