// Do both loops together say the same, whatever breaks and restarts? On Kafka in memory.
import {
  Decoder,
  Encoder,
  type FeatureVector,
  type MonitoringWindow,
  type RecordName,
  type Records,
  type RetrainingRequest,
} from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import {
  Health,
  TransientError,
  createMetrics,
  run,
  type Kafka,
  type OutgoingRecord,
} from '@churnstream/runtime'
import { MemoryCluster, readAll, until } from '@churnstream/runtime/testing'
import { clusterTopics, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { pino } from 'pino'
import { createAssessingProcessor } from './assessing.ts'
import type { AssessorSettings } from './core/assessor.ts'
import { usualInputSettings } from './core/inputs.ts'
import { usualPerformanceSettings } from './core/performance-of.ts'
import { usualPolicySettings } from './core/policy.ts'
import { seeded } from './core/testing.ts'
import { createCountingProcessor } from './counting.ts'
import { countedInputs } from './inputs.ts'
import { createMonitorMetrics, showWindows } from './metrics.ts'
import { createProfiles } from './profiles.ts'

const dayMs = 86_400_000
const log = pino({ level: 'silent' })
const names: RecordName[] = [
  'churn-score',
  'player-outcome',
  'feature-vector',
  'registry-event',
  'monitor-state',
  'monitoring-partial',
  'assessor-state',
  'monitoring-window',
  'retraining-request',
  'privacy-confirmation',
]
const schemas = fixedSchemas(Object.fromEntries(names.map((name, id) => [id + 1, name])))
const encoderOf = <N extends RecordName>(name: N) => new Encoder(name, names.indexOf(name) + 1)

const partitions = topics.churnScores.partitions
/** A week begins. */
const firstDay = 20_300 - (20_300 % 7)
const liveDays = 35
const profileText = JSON.stringify({
  schemaVersion: 1,
  rows: 20_000,
  features: [
    {
      name: 'bets_7d',
      type: 'numeric',
      count: 20_000,
      nullRate: 0,
      mean: 4.5,
      sd: 2.9,
      min: 0,
      max: 9,
      edges: [1, 3, 5, 7],
      shares: [0.2, 0.2, 0.2, 0.2, 0.2],
    },
    {
      name: 'acquisition_source',
      type: 'categorical',
      count: 20_000,
      nullRate: 0,
      levels: { paid: 0.5, organic: 0.5 },
      other: 0,
    },
  ],
  score: { count: 5_000, shares: Array.from({ length: 20 }, () => 0.05) },
  calibration: [],
  metrics: { auc: 0.83, base_rate: 0.5 },
})
const profileSha256 = createHash('sha256').update(profileText).digest('hex')

const settings: AssessorSettings = {
  inputs: { ...usualInputSettings, minRows: 300, minRowsOfRates: 50 },
  performance: { ...usualPerformanceSettings, minLabels: 300, minChurned: 50 },
  policy: { ...usualPolicySettings, calendarDays: null, minLabels: 300, minChurned: 50 },
  windowDays: 7,
  partitions,
  patienceDays: 1_000,
  namePrefix: 'churn-',
}

interface World {
  /** From this day on scores say nothing of what will happen. */
  readonly blindFrom?: number
  /** From this day on the source is not known. */
  readonly brokenFrom?: number
}

async function createWorld({ blindFrom = Infinity, brokenFrom = Infinity }: World) {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  await kafka.ensureTopics(clusterTopics())
  const producer = await kafka.openProducer()
  const send = (topic: string, partition: number, key: string, value: Buffer, timestampMs = 0) =>
    producer.send([{ topic, partition, key, value, timestampMs }])
  const sha256 = profileSha256
  await send(
    topics.registryEvents.name,
    0,
    'churn-default@champion',
    encoderOf('registry-event').encode({
      modelName: 'churn-default',
      alias: 'champion',
      modelVersion: '1',
      artifactLocation: 's3://models/1',
      files: [{ path: 'reference_profile.json', sha256, sizeBytes: profileText.length }],
      epoch: 1,
      origin: 'reconcile',
    }),
  )
  const encoders = {
    vector: encoderOf('feature-vector'),
    score: encoderOf('churn-score'),
    outcome: encoderOf('player-outcome'),
  }
  const draw = seeded(5)
  const nulls = Object.fromEntries(
    (await import('@churnstream/schemas')).catalogue.map(({ name }) => [name, null]),
  ) as Partial<FeatureVector>
  const vectors: OutgoingRecord[] = []
  const scores: OutgoingRecord[] = []
  const outcomes: (OutgoingRecord & { at: number })[] = []
  const offsets = Array.from({ length: partitions }, () => 0)
  const players = 12
  for (let day = 0; day < liveDays + 40; day++) {
    for (let partition = 0; partition < partitions; partition++) {
      for (let n = 0; n < players; n++) {
        const playerId = `p${partition}-${n}`
        const asOf = (firstDay + day) * dayMs + n * 60_000
        const offset = offsets[partition] as number
        offsets[partition] = offset + 1
        const bets = Math.floor(draw() * 10)
        const source = day >= brokenFrom ? null : draw() < 0.5 ? 'paid' : 'organic'
        const cause = { causeEventId: '', causeTopic: 'player-activity', causePartition: partition }
        const vector = {
          ...nulls,
          playerId,
          asOf,
          trigger: 'activity',
          ...cause,
          causeOffset: offset,
          bets_7d: bets,
          acquisition_source: source,
          days_since_last_bet: 1,
          tenure_days: 40,
        } as FeatureVector
        const key = playerId
        vectors.push({
          topic: topics.featureVectors.name,
          partition,
          key,
          value: encoders.vector.encode(vector),
        })
        const score = draw()
        scores.push({
          topic: topics.churnScores.name,
          partition,
          key,
          value: encoders.score.encode({
            playerId,
            market: n % 2 === 0 ? 'gb' : 'us-nj',
            asOf,
            score,
            band: 'low',
            modelName: 'churn-default',
            modelVersion: '1',
            modelEpoch: 1,
            trigger: 'activity',
            ...cause,
            causeOffset: offset,
            vectorPartition: partition,
            vectorOffset: offset,
          }),
        })
        const churned = draw() < (day >= blindFrom ? 0.5 : score)
        const knownAt = (firstDay + day + (churned ? 31 : 1 + Math.floor(draw() * 28))) * dayMs
        outcomes.push({
          at: knownAt,
          topic: topics.playerOutcomes.name,
          partition,
          key,
          value: encoders.outcome.encode({
            playerId,
            market: 'gb',
            asOfDay: firstDay + day,
            churned,
            horizonDays: 28,
            knownAt,
            ...cause,
            causeOffset: offset,
          }),
        })
      }
    }
  }
  outcomes.sort((a, b) => a.at - b.at)
  await producer.send(vectors)
  return {
    cluster,
    kafka,
    producer,
    scores,
    outcomes,
  }
}

function start(kafka: Kafka, metrics = createMetrics('monitor'), watchedShare = 1) {
  const stop = new AbortController()
  const profiles = createProfiles({
    kafka,
    schemas,
    readObject: async (location, path) =>
      location === 's3://models/1' && path === 'reference_profile.json'
        ? Buffer.from(profileText)
        : undefined,
    log,
  })
  const common = {
    kafka,
    schemas,
    commitIntervalMs: 40,
    signal: stop.signal,
    log,
    metrics,
    health: new Health(),
  }
  const counting = createCountingProcessor({
    encoders: {
      state: encoderOf('monitor-state'),
      partial: encoderOf('monitoring-partial'),
      confirmation: encoderOf('privacy-confirmation'),
    },
    kafka,
    schemas,
    profiles,
    control: { share: 1, salt: 'control' },
  })
  const [first, ...alongside] = countedInputs(watchedShare)
  const monitorMetrics = createMonitorMetrics(metrics)
  const loops = [
    run({ ...common, ...first, alongside, service: services.monitor, processor: counting }),
    run({
      ...common,
      service: services.assessor,
      topic: topics.monitoringPartials,
      decoder: new Decoder('monitoring-partial'),
      processor: createAssessingProcessor({
        encoders: {
          partial: encoderOf('monitoring-partial'),
          state: encoderOf('assessor-state'),
          window: encoderOf('monitoring-window'),
          request: encoderOf('retraining-request'),
        },
        schemas,
        profiles,
        settings,
        onAssessed: (assessed) => monitorMetrics.assessed(assessed),
      }),
    }),
    showWindows({ kafka, schemas, metrics: monitorMetrics, log }, stop.signal),
  ]
  return {
    metrics,
    async stop() {
      stop.abort()
      await Promise.all(loops)
      await counting[Symbol.asyncDispose]()
    },
  }
}

async function isDone(kafka: Kafka): Promise<boolean> {
  const groups = [
    [services.monitor, topics.churnScores],
    [services.monitor, topics.playerOutcomes],
    [services.assessor, topics.monitoringPartials],
  ] as const
  for (const [{ name }, topic] of groups) {
    for (const [partition, end] of (await kafka.endOffsets(topic.name)).entries()) {
      if ((await kafka.committedOffset(name, topic.name, partition)) < end) return false
    }
  }
  return true
}

async function records<N extends RecordName>(
  kafka: Kafka,
  topic: string,
  name: N,
  partition = 0,
): Promise<Records[N][]> {
  const decoder = new Decoder(name)
  const found = (await readAll(kafka, topic, partition)).map(({ value }) => value)
  await schemas.prepare(decoder, found)
  return found.map((value) => decoder.decode(value) as Records[N])
}

/**
 * Plays the world through the service, with connections that break and processes that restart, until
 * its metrics say so.
 */
async function play(world: World, breaks: boolean, shown = /churnstream_monitor_state\{/) {
  const { cluster, kafka, producer, scores, outcomes } = await createWorld(world)
  let commits = 0
  cluster.failpoint = (point) => {
    if (breaks && commits++ % (point === 'before-commit' ? 7 : 11) === 3) {
      throw new TransientError('the connection broke')
    }
  }
  let service = start(kafka)
  const parts = 6
  for (let part = 0; part < parts; part++) {
    const cut = <T>(all: readonly T[], n: number) =>
      all.slice((all.length * n) / parts, (all.length * (n + 1)) / parts)
    // Disturbed, outcomes run ahead of scores; their order within a topic stays.
    if (breaks) await producer.send(cut(outcomes, part))
    await producer.send(cut(scores, part))
    if (!breaks) await producer.send(cut(outcomes, part))
    if (!breaks || part % 2 === 0) continue
    await until('some progress', async () =>
      (await kafka.endOffsets(topics.monitorState.name)).some((end) => end > 0n),
    )
    await service.stop()
    service = start(kafka)
  }
  await until('everything is counted', () => isDone(kafka))
  const windows = await records(kafka, topics.modelMonitoring.name, 'monitoring-window')
  const requests = await records(kafka, topics.retrainingRequests.name, 'retraining-request')
  await until(`the metrics say ${String(shown)}`, async () =>
    shown.test(await service.metrics.registry.metrics()),
  )
  await service.stop()
  const bytes: (string | undefined)[] = []
  for (const { name } of [topics.modelMonitoring, topics.retrainingRequests]) {
    const written = await readAll(kafka, name, 0)
    bytes.push(...written.map(({ value }) => value?.toString('hex')))
  }
  return { windows, requests, commits, bytes }
}

const of = (windows: readonly MonitoringWindow[], kind: string) =>
  windows.filter((w) => w.kind === kind && w.market === '*' && w.segment === '*')

test('monitor - a fall of the AUC asks once for a new version; restarts and broken connections change no byte', async () => {
  const world = { blindFrom: 14 }
  const alarm =
    /churnstream_monitor_state\{model="churn-default",version="1",role="champion",market="\*",segment="\*",kind="performance",service="monitor"\} 2/
  const calm = await play(world, false, alarm)
  const rough = await play(world, true)
  assert.ok(rough.commits > 50, `${rough.commits} commits`)
  assert.deepEqual(rough.bytes, calm.bytes)

  const drift = of(calm.windows, 'drift').filter(({ state }) => state !== 'insufficient-data')
  assert.ok(drift.length >= 4 && drift.every(({ state }) => state === 'ok'))
  assert.equal(drift[0]?.rows, 7 * 12 * partitions)
  const performance = of(calm.windows, 'performance')
  assert.deepEqual(performance.map(({ state, isConfirmed }) => [state, isConfirmed]).slice(0, 5), [
    ['ok', false],
    ['ok', false],
    ['alarm', false],
    ['alarm', true],
    ['alarm', true],
  ])
  const [request] = calm.requests as [RetrainingRequest]
  assert.equal(request.reason, 'performance-fell')
  assert.deepEqual([request.market, request.requestedBy], ['default', 'monitor'])
  assert.equal(request.requestedAt, performance[3] && (performance[3].toDay + 32) * dayMs)
  assert.equal(request.cooldownUntil - request.requestedAt, 14 * dayMs)
  const evidence = JSON.parse(request.evidence) as { figures: { name: string }[] }
  assert.equal(evidence.figures[0]?.name, 'auc')
  const markets = new Set(calm.windows.map(({ market }) => market))
  assert.deepEqual([...markets].sort(), ['*', 'gb', 'us-nj'])
})

test('monitor - a broken feed alarms on its day and asks for nothing', async () => {
  const { windows, requests } = await play({ brokenFrom: 14 }, false)
  const broken = of(windows, 'quality').filter(({ state }) => state === 'alarm')
  assert.equal((broken[0]?.fromDay ?? 0) - firstDay, 14)
  assert.deepEqual(
    broken[0]?.statistics
      .filter(({ state }) => state === 'alarm')
      .map(({ name, subject }) => [name, subject]),
    [['null-rate', 'acquisition_source']],
  )
  assert.ok(of(windows, 'drift').some(({ state }) => state === 'alarm'))
  assert.deepEqual(requests, [])
})

test('monitor - an erasure is answered in partitions whose scores nobody reads', async () => {
  const { kafka } = await createWorld({})
  const service = start(kafka, undefined, 0.05)
  const { name } = topics.privacyConfirmations
  const partition = partitions - 1
  const confirmation: Records['privacy-confirmation'] = {
    requestId: 'r-1',
    playerId: 'ada',
    place: topics.playerState.name,
    erased: 1,
    fromOffset: 10,
    untilOffset: 10,
  }
  const producer = await kafka.openProducer()
  const value = encoderOf('privacy-confirmation').encode(confirmation)
  await producer.send([{ topic: name, partition, key: 'ada', value }])
  await producer.close()
  const answers = async () =>
    (await records(kafka, name, 'privacy-confirmation', partition)).map(({ place }) => place)
  await until('it is answered', async () => (await answers()).includes(topics.monitorState.name))
  assert.equal(
    await kafka.committedOffset(services.monitor.name, topics.churnScores.name, partition),
    0n,
  )
  await service.stop()
})
