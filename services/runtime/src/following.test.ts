// Do two stages in one transaction do what they do one after the other?
import { Decoder, Encoder, type PlayerActivity } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { deadLetterTopic, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { countingState } from './counting-state.ts'
import { parseDeadLetter } from './dead-letter.ts'
import { TransientError } from './errors.ts'
import { Health } from './http.ts'
import { readAll, until } from './kafka.contract.ts'
import type { ConsumedRecord, Kafka } from './kafka.ts'
import { MemoryCluster } from './memory-kafka.ts'
import { createMetrics } from './metrics.ts'
import { deadLetter, emit, skip } from './outcome.ts'
import { run } from './run.ts'
import type { Processor, Stage } from './stage.ts'
import { createFence, takeOver } from './take-over.ts'
import { toTraceparent, traceHeader, traceOf } from './trace.ts'
import { noTracing, type Span } from './tracing.ts'

const [input, middle, output] = [topics.playerActivity, topics.featureVectors, topics.churnScores]
const changelog = topics.playerState
const partitions = 2
const encoder = new Encoder('player-activity', 1)
const schemas = fixedSchemas({ 1: 'player-activity' })
const log = pino({ level: 'silent' })
const names = [
  ...[input, middle, output, changelog].map(({ name }) => name),
  ...[input, middle].map(deadLetterTopic),
]

async function createCluster(): Promise<{ cluster: MemoryCluster; kafka: Kafka }> {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  await kafka.ensureTopics(names.map((name) => ({ name, partitions, config: {} })))
  return { cluster, kafka }
}

const event = (playerId: string, sequence: number, amount = sequence): PlayerActivity => ({
  eventId: `${playerId}-${sequence}`,
  kind: 'deposit',
  playerId,
  occurredAt: 1_000 + sequence,
  market: 'gb',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount,
})

async function send(
  kafka: Kafka,
  values: readonly (PlayerActivity | null)[],
  headers: Readonly<Record<string, string>> = {},
  partition = 0,
): Promise<void> {
  const producer = await kafka.openProducer()
  await producer.send(
    values.map((value, index) => ({
      topic: input.name,
      partition,
      key: value?.playerId ?? null,
      value: value && encoder.encode(value),
      headers,
      timestampMs: 5_000 + index,
    })),
  )
  await producer.close()
}

/** Counts the events of each player: the vector of an event is the event with its count. */
function counting(): Stage<PlayerActivity> {
  const { state, count } = countingState(changelog)
  const processor: Processor<PlayerActivity> = {
    state,
    process: (partition, records) =>
      records.map(({ value, timestampMs }) => {
        const { playerId, amount } = value
        if (amount === -1) return skip('duplicate')
        const vector = { ...value, product: `${value.eventId}=${count(partition, playerId)}` }
        // What the next stage can't read.
        const poison = amount === -2 ? [Buffer.from('not avro')] : []
        return emit(
          [...poison, encoder.encode(vector)].map((bytes) => {
            return { topic: middle.name, partition, key: playerId, value: bytes, timestampMs }
          }),
        )
      }),
  }
  return { service: services.features, topic: input, decoder: new Decoder(input.record), processor }
}

type Scoring = Stage<PlayerActivity>

/** The same, a few records at a time: the others are left. */
const leaving = (stage: Scoring, most: number): Scoring => ({
  ...stage,
  processor: {
    ...stage.processor,
    process: (partition, records) => stage.processor.process(partition, records.slice(0, most)),
  },
})

/** Says of each vector what it was and where it stood. */
function scoring(before: () => void | Promise<void> = () => undefined): Scoring {
  return {
    service: services.scorer,
    topic: middle,
    decoder: new Decoder(input.record),
    processor: {
      async process(partition, records) {
        await before()
        return records.map(({ value, offset, key, timestampMs }) => {
          if (value.amount === -3) return deadLetter('odd', 'it is odd')
          const text = `${value.product} at ${offset}`
          return emit([
            { topic: output.name, partition, key, value: Buffer.from(text), timestampMs },
          ])
        })
      },
    },
  }
}

function start(kafka: Kafka, stage: Stage<PlayerActivity>, followedBy?: Scoring) {
  const controller = new AbortController()
  const metrics = createMetrics('test')
  const spans: Span[] = []
  const finished = run({
    ...stage,
    ...(followedBy && { followedBy }),
    kafka,
    schemas,
    commitIntervalMs: 40,
    signal: controller.signal,
    log,
    metrics,
    health: new Health(),
    tracing: { ...noTracing, ended: (span: Span) => void spans.push(span) },
  })
  finished.catch(() => undefined)
  return {
    finished,
    metrics,
    spans,
    abort: () => controller.abort(),
    stop: async () => {
      controller.abort()
      await finished
    },
  }
}

const doneOf = (kafka: Kafka, { name }: { name: string }, topic: { name: string }, partition = 0) =>
  kafka.committedOffset(name, topic.name, partition)
const textsOf = (records: readonly ConsumedRecord[]) => records.map(({ value }) => String(value))
const scores = async (kafka: Kafka, partition = 0) =>
  textsOf(await readAll(kafka, output.name, partition))
const untilScored = (kafka: Kafka, count: number, partition = 0) =>
  until(
    `${count} scores`,
    async () =>
      (await scores(kafka, partition)).length >= count &&
      (await doneOf(kafka, services.scorer, middle, partition)) ===
        (await kafka.endOffsets(middle.name))[partition],
  )
const scoreOf = (playerId: string, sequence: number, count: number, offset: number) =>
  `${playerId}-${sequence}=${count} at ${offset}`

test('followedBy - two stages in one transaction write what they write one after the other', async () => {
  const events = [
    ...Array.from({ length: 1_500 }, (_, i) => event(`player-${i % 7}`, i)),
    event('ada', 1, -1),
    event('ada', 2, -2),
    event('ada', 3, -3),
    null,
    event('ada', 4),
  ]
  const found = []
  const ways = [
    (kafka: Kafka) => [start(kafka, counting()), start(kafka, scoring())],
    (kafka: Kafka) => [start(kafka, counting(), scoring())],
    (kafka: Kafka) => [start(kafka, leaving(counting(), 70), leaving(scoring(), 30))],
  ]
  for (const startAll of ways) {
    const { kafka } = await createCluster()
    await send(kafka, events)
    const running = startAll(kafka)
    await untilScored(kafka, 1_502)
    for (const one of running) await one.stop()
    found.push({
      records: await Promise.all(
        names.filter((name) => name !== changelog.name).map((name) => readAll(kafka, name, 0)),
      ),
      state: new Map(
        (await readAll(kafka, changelog.name, 0)).map(({ key, value }) => [
          String(key),
          String(value),
        ]),
      ),
      committed: [
        await doneOf(kafka, services.features, input),
        await doneOf(kafka, services.scorer, middle),
      ],
    })
  }
  const [chained, fused, fusedByFew] = found
  assert.deepEqual(fused, chained)
  assert.deepEqual(fusedByFew, chained)
  assert.equal(fused?.committed[0], BigInt(events.length))
  const letters = fused?.records[names.indexOf(deadLetterTopic(middle)) - 1] ?? []
  assert.deepEqual(
    letters.map((letter) => parseDeadLetter(letter)).map(({ reason, offset }) => [reason, offset]),
    [
      ['not-framed', 1_500],
      ['odd', 1_502],
    ],
  )
})

for (const point of ['before-commit', 'after-commit'] as const) {
  test(`followedBy - a connection that breaks ${point} neither loses nor repeats`, async () => {
    const { cluster, kafka } = await createCluster()
    let commits = 0
    cluster.failpoint = (reached) => {
      if (reached === point && commits++ % 3 === 0) throw new TransientError('the connection broke')
    }
    const running = start(kafka, counting(), scoring())
    const total = 40
    for (let i = 0; i < total; i++) {
      await send(kafka, [event(`player-${i % 3}`, i)])
      await until('some progress', async () => (await scores(kafka)).length > i - 5)
    }
    await untilScored(kafka, total)
    await running.stop()
    assert.ok(commits > 5, 'the failpoint was reached')
    assert.deepEqual(
      await scores(kafka),
      Array.from({ length: total }, (_, i) =>
        scoreOf(`player-${i % 3}`, i, Math.floor(i / 3) + 1, i),
      ),
    )
  })
}

test('followedBy - one goes from chained to fused and back, and what was left over is scored once', async () => {
  const { kafka } = await createCluster()
  const expected: string[] = []
  let sent = 0
  const sendSome = async (): Promise<void> => {
    const events = Array.from({ length: 3 }, () => event('ada', sent++))
    for (const { eventId } of events) {
      expected.push(`${eventId}=${expected.length + 1} at ${expected.length}`)
    }
    await send(kafka, events)
  }
  const untilFolded = () =>
    until('folded', async () => (await doneOf(kafka, services.features, input)) === BigInt(sent))

  // The scorer lags behind when it is stopped.
  await sendSome()
  const first = [start(kafka, counting()), start(kafka, scoring())]
  await untilScored(kafka, 3)
  await first[1]?.stop()
  await sendSome()
  await untilFolded()
  await first[0]?.stop()
  assert.equal((await scores(kafka)).length, 3)

  for (let round = 0; round < 2; round++) {
    await sendSome()
    const fused = start(kafka, counting(), scoring())
    await untilScored(kafka, sent)
    await sendSome()
    await untilScored(kafka, sent)
    await fused.stop()
    await sendSome()
    const chained = [start(kafka, counting()), start(kafka, scoring())]
    await untilScored(kafka, sent)
    for (const one of chained) await one.stop()
  }
  assert.deepEqual(await scores(kafka), expected)
})

test('followedBy - a scorer that slept meanwhile writes nothing more', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0)])
  const asleep = Promise.withResolvers<void>()
  let isAsleep = false
  const sleeper = start(
    kafka,
    scoring(() => {
      isAsleep = true
      return asleep.promise
    }),
  )
  const features = start(kafka, counting())
  await until('it sleeps', () => isAsleep)
  await features.stop()
  const fused = start(kafka, counting(), scoring())
  await untilScored(kafka, 1)
  // It wakes, and has been told to end: what it had in hand it tries to commit.
  sleeper.abort()
  asleep.resolve()
  await sleeper.finished
  await send(kafka, [event('ada', 1)])
  await untilScored(kafka, 2)
  await fused.stop()
  assert.deepEqual(await scores(kafka), [scoreOf('ada', 0, 1, 0), scoreOf('ada', 1, 2, 1)])
})

test('followedBy - a scorer that runs beside it takes its turns, and none is scored twice', async () => {
  const { kafka } = await createCluster()
  const fused = start(kafka, counting(), scoring())
  const beside = start(kafka, scoring())
  const fenced = /producers_replaced_total\{service="features",reason="fenced"\} [1-9]/
  let total = 0
  // Whether they meet is up to chance.
  await until('they have met', async () => {
    await send(kafka, [event('ada', total++)])
    await until('some progress', async () => (await scores(kafka)).length > total - 6)
    return total >= 60 && fenced.test(await fused.metrics.registry.metrics())
  })
  await untilScored(kafka, total)
  for (const one of [beside, fused]) await one.stop()
  assert.deepEqual(
    await scores(kafka),
    Array.from({ length: total }, (_, i) => scoreOf('ada', i, i + 1, i)),
  )
})

test('followedBy - whoever takes the next stage over fences it, before its first transaction too', async () => {
  const { kafka } = await createCluster()
  const fused = start(kafka, counting(), scoring())
  const named = () => kafka.committedMetadata(services.features.name, input.name, 0)
  await until('it is open', async () => (await named()) !== '')
  const reach = { partitions: [] }
  const { producer } = await takeOver({
    kafka,
    service: services.scorer,
    topic: middle,
    partition: 0,
    fence: createFence(kafka, reach),
  })
  await send(kafka, [event('ada', 0)])
  await untilScored(kafka, 1)
  const page = await fused.metrics.registry.metrics()
  assert.match(page, /producers_replaced_total\{service="features",reason="fenced"\} 1\n/)
  await producer.close()
  await fused.stop()
})

test('followedBy - trouble of the next stage is waited out with the same records', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0), event('ada', 1)])
  let away = 3
  const trouble = () => {
    if (away-- > 0) throw new TransientError('no model', { retryAfterMs: 1 })
  }
  const running = start(kafka, counting(), scoring(trouble))
  await untilScored(kafka, 2)
  await running.stop()
  assert.deepEqual(await scores(kafka), [scoreOf('ada', 0, 1, 0), scoreOf('ada', 1, 2, 1)])
})

test('followedBy - a bug in the next stage ends the loop and commits nothing more', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0)])
  const bug = new Error('a bug')
  const running = start(
    kafka,
    counting(),
    scoring(() => Promise.reject(bug)),
  )
  await assert.rejects(running.finished, (error) => error === bug)
  assert.equal(await doneOf(kafka, services.features, input), 0n)
  assert.deepEqual(await readAll(kafka, middle.name, 0), [])
})

test('followedBy - each stage counts as its own service, and hands the trace on', async () => {
  const { kafka } = await createCluster()
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  await send(kafka, [event('ada', 0)], { [traceHeader]: toTraceparent(parent) })
  await send(kafka, [event('ada', 1), event('ada', 2, -3)])
  const running = start(kafka, counting(), scoring())
  await untilScored(kafka, 2)
  await running.stop()
  const page = await running.metrics.registry.metrics()
  for (const series of [
    'consumed_records_total{service="features",topic="player-activity",partition="0"} 3',
    'consumed_records_total{service="scorer",topic="feature-vectors",partition="0"} 3',
    'records_total{service="scorer",topic="feature-vectors",partition="0",outcome="emit"} 2',
    'records_total{service="scorer",topic="feature-vectors",partition="1",outcome="emit"} 0',
    'produced_records_total{service="features",topic="feature-vectors"} 3',
    'produced_records_total{service="scorer",topic="churn-scores"} 2',
    'assigned_partitions{service="scorer"} 2',
    'lag_records{service="scorer",topic="feature-vectors",partition="0"} 0',
    'event_to_commit_seconds_count{service="scorer"} 3',
  ]) {
    assert.ok(page.includes(`churnstream_${series}\n`), `${series} in ${page}`)
  }
  const [first] = running.spans
  assert.deepEqual(
    running.spans.map(({ name, parent }) => [name, parent?.spanId]),
    [
      ['features player-activity', parent.spanId],
      ['scorer feature-vectors', first?.trace.spanId],
    ],
  )
  const [score] = await readAll(kafka, output.name, 0)
  assert.equal(traceOf(score?.headers ?? {})?.traceId, parent.traceId)
})
