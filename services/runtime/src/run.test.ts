// Does the loop keep its promises, whatever breaks?
import { Decoder, Encoder, type PlayerActivity } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { deadLetterTopic, loopMetrics, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { countingState } from './counting-state.ts'
import { parseDeadLetter } from './dead-letter.ts'
import { TransientError } from './errors.ts'
import { Health } from './http.ts'
import { readAll, until } from './kafka.contract.ts'
import type { Kafka, OutgoingRecord } from './kafka.ts'
import type { Log } from './log.ts'
import { MemoryCluster } from './memory-kafka.ts'
import { createMetrics } from './metrics.ts'
import { deadLetter, emit, skip } from './outcome.ts'
import { run } from './run.ts'
import type { Input, Processor } from './stage.ts'
import { createFence, takeOver, transactionalIdOf } from './take-over.ts'
import { toTraceparent, traceHeader, traceOf, type TraceContext } from './trace.ts'
import { noTracing, type Span, type Tracing } from './tracing.ts'

const input = topics.playerActivity
const output = topics.featureVectors
const changelog = topics.playerState
const partitions = 2
const encoder = new Encoder('player-activity', 1)
const silent = pino({ level: 'silent' })

const schemas = fixedSchemas({ 1: 'player-activity' })

async function createCluster(): Promise<{ cluster: MemoryCluster; kafka: Kafka }> {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  const names = [input.name, output.name, changelog.name, deadLetterTopic(input)]
  await kafka.ensureTopics(names.map((name) => ({ name, partitions, config: {} })))
  return { cluster, kafka }
}

function event(playerId: string, sequence: number): PlayerActivity {
  return {
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
    amount: sequence,
  }
}

async function send(
  kafka: Kafka,
  values: readonly (PlayerActivity | Buffer | null)[],
  partition = 0,
  timestampMs = Date.now(),
) {
  const producer = await kafka.openProducer()
  await producer.send(
    values.map((value): OutgoingRecord => {
      const bytes = value === null || Buffer.isBuffer(value) ? value : encoder.encode(value)
      const headers = { from: 'test' }
      return { topic: input.name, partition, key: 'key', value: bytes, headers, timestampMs }
    }),
  )
  await producer.close()
}

/** Emits each event's id; the state counts a player's events and writes the count as it goes. */
function countingProcessor(): Processor<PlayerActivity> {
  const { state, count } = countingState(changelog)
  return {
    state,
    process: (partition, records) =>
      records.map(({ value }) => {
        const text = `${value.eventId}=${count(partition, value.playerId)}`
        return emit([
          { topic: output.name, partition, key: value.playerId, value: Buffer.from(text) },
        ])
      }),
  }
}

interface StartOptions {
  readonly health?: Health
  readonly wants?: Input<PlayerActivity>['wants']
  readonly alongside?: readonly Input<PlayerActivity>[]
  readonly tracing?: Tracing
  readonly commitIntervalMs?: number
  readonly log?: Log
}

function start(
  kafka: Kafka,
  processor: Processor<PlayerActivity>,
  {
    alongside = [],
    tracing,
    wants,
    commitIntervalMs = 40,
    health = new Health(),
    log = silent,
  }: StartOptions = {},
) {
  const controller = new AbortController()
  const metrics = createMetrics('test')
  const finished = run({
    kafka,
    schemas,
    service: services.features,
    topic: input,
    decoder: new Decoder(input.record),
    alongside,
    processor,
    commitIntervalMs,
    signal: controller.signal,
    log,
    metrics,
    health,
    ...(tracing && { tracing }),
    ...(wants && { wants }),
  })
  finished.catch(() => undefined)
  return {
    finished,
    metrics,
    stop: async () => {
      controller.abort()
      await finished
    },
  }
}

const committed = (kafka: Kafka, partition = 0) =>
  kafka.committedOffset(services.features.name, input.name, partition)
const texts = async (kafka: Kafka, topic: string, partition = 0) =>
  (await readAll(kafka, topic, partition)).map(({ value }) => String(value))

test('run - poison is set aside with its bytes and reason, and the rest flows on', async () => {
  const { kafka } = await createCluster()
  const unknownId = Buffer.from(encoder.encode(event('ada', 9)))
  unknownId.writeInt32BE(77, 1)
  const poison = [
    ['null-value', null],
    ['not-framed', Buffer.from('not avro')],
    ['not-framed', Buffer.from([0, 0])],
    ['unknown-schema-id', unknownId],
    ['undecodable', Buffer.from(encoder.encode(event('ada', 9))).subarray(0, 12)],
    ['undecodable', Buffer.concat([encoder.encode(event('ada', 9)), Buffer.from([1])])],
  ] as const
  await send(
    kafka,
    poison.flatMap(([, bytes], i) => [bytes, event('ada', i)]),
  )
  const running = start(kafka, countingProcessor())
  await until('all is done', async () => (await committed(kafka)) === BigInt(poison.length * 2))
  await running.stop()

  assert.equal((await texts(kafka, output.name)).length, poison.length)
  const letters = await readAll(kafka, deadLetterTopic(input), 0)
  assert.deepEqual(
    letters.map((letter) => [parseDeadLetter(letter).reason, letter.value]),
    poison.map(([reason, bytes]) => [reason, bytes === null ? null : Buffer.from(bytes)]),
  )
  const cause = parseDeadLetter(letters[1] as (typeof letters)[number])
  assert.equal(cause.service, services.features.name)
  assert.deepEqual([cause.topic, cause.partition, cause.offset], [input.name, 0, 2])
  assert.equal(letters[1]?.headers['from']?.toString(), 'test')
})

test('run - each outcome is counted by what it was and why', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0), event('ada', 1), event('ada', 2)])
  const running = start(kafka, {
    process: (_, records) =>
      records.map(({ value }) => {
        if (value.amount === 0) return skip('duplicate')
        if (value.amount === 1) return deadLetter('odd', 'it is odd')
        return emit([])
      }),
  })
  await until('all is done', async () => (await committed(kafka)) === 3n)
  await running.stop()
  const { registry } = running.metrics
  const page = await registry.metrics()
  for (const series of [
    'consumed_records_total{service="features",topic="player-activity",partition="0"} 3',
    'records_total{service="features",topic="player-activity",partition="0",outcome="emit"} 1',
    'records_total{service="features",topic="player-activity",partition="0",outcome="skip"} 1',
    'records_total{service="features",topic="player-activity",partition="0",outcome="dead-letter"} 1',
    'records_total{service="features",topic="player-activity",partition="1",outcome="dead-letter"} 0',
    'record_reasons_total{service="features",topic="player-activity",outcome="skip",reason="duplicate"} 1',
    'record_reasons_total{service="features",topic="player-activity",outcome="dead-letter",reason="odd"} 1',
    'produced_records_total{service="features",topic="player-activity.dlq"} 1',
    'produced_records_total{service="features",topic="feature-vectors"} 0',
    'event_to_commit_seconds_count{service="features"} 3',
  ]) {
    assert.ok(page.includes(`churnstream_${series}\n`), `${series} in ${page}`)
  }
})

test('run - what a processor leaves for the next transaction comes again, once', async () => {
  const { cluster, kafka } = await createCluster()
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  const events = Array.from({ length: 20 }, (_, i) => event('ada', i))
  const poisonBehind = [3, 7, 19]
  const producer = await kafka.openProducer()
  const values = events.flatMap((value, i) => [
    encoder.encode(value),
    ...(poisonBehind.includes(i) ? [null] : []),
  ])
  const headers = { [traceHeader]: toTraceparent(parent) }
  await producer.send(
    values.map((value) => ({ topic: input.name, partition: 0, key: 'key', value, headers })),
  )
  await producer.close()
  let commits = 0
  cluster.failpoint = (reached) => {
    if (reached === 'after-commit' && commits++ % 4 === 1) throw new TransientError('for the test')
  }
  const counting = countingProcessor()
  const sizes: number[] = []
  const processor: Processor<PlayerActivity> = {
    ...counting,
    process(partition, records) {
      sizes.push(records.length)
      return counting.process(partition, records.slice(0, 3))
    },
  }
  const spans: Span[] = []
  const tracing = { ...noTracing, ended: (span: Span) => void spans.push(span) }
  const running = start(kafka, processor, { tracing })
  await until('all is done', async () => (await committed(kafka)) === BigInt(values.length))
  await running.stop()
  assert.ok(sizes.length >= 7 && sizes[0] === 20, sizes.join())
  assert.deepEqual(
    await texts(kafka, output.name),
    events.map(({ eventId }, i) => `${eventId}=${i + 1}`),
  )
  const letters = await readAll(kafka, deadLetterTopic(input), 0)
  assert.deepEqual(
    letters.map((letter) => parseDeadLetter(letter).offset),
    [4, 9, 22],
  )
  // What was committed and not answered is not counted.
  const spansOf = new Set(spans.map(({ attributes }) => attributes['messaging.kafka.offset']))
  assert.equal(spansOf.size, spans.length)
  assert.ok(commits >= 7 && spans.length < values.length, `${commits} ${spans.length}`)
})

test('run - a processor that answers for no record, or for more than there are, ends the loop', async () => {
  for (const outcomes of [[], [emit([]), emit([])]]) {
    const { kafka } = await createCluster()
    await send(kafka, [event('ada', 0)])
    const running = start(kafka, { process: () => outcomes })
    await assert.rejects(running.finished, /outcomes for 1 records: a bug/)
    assert.equal(await committed(kafka), 0n)
  }
})

test('run - what is not wanted is skipped unread, and counted', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [Buffer.from('not avro'), event('ada', 0), event('ada', 1)])
  const running = start(kafka, countingProcessor(), { wants: ({ offset }) => offset === 1n })
  await until('all is done', async () => (await committed(kafka)) === 3n)
  await running.stop()
  assert.deepEqual(await texts(kafka, output.name), ['ada-0=1'])
  assert.deepEqual(await texts(kafka, deadLetterTopic(input)), [])
  const page = await running.metrics.registry.metrics()
  assert.match(page, /record_reasons_total\{.*outcome="skip",reason="unwanted"\} 2\n/)
})

test('run - a sampled record hands its trace to what it causes, its span and its dead letter', async () => {
  const { kafka } = await createCluster()
  const spans: Span[] = []
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  const producer = await kafka.openProducer()
  const put = (value: Buffer | null, headers = {}): OutgoingRecord => ({
    topic: input.name,
    partition: 0,
    key: 'key',
    value,
    headers,
  })
  const sampled = { [traceHeader]: toTraceparent(parent) }
  await producer.send([
    put(encoder.encode(event('ada', 0)), sampled),
    put(encoder.encode(event('ada', 1))),
    put(null, sampled),
  ])
  await producer.close()
  const seen: (TraceContext | undefined)[] = []
  const counting = countingProcessor()
  const processor: Processor<PlayerActivity> = {
    ...counting,
    process(partition, records) {
      for (const { trace } of records) seen.push(trace)
      return counting.process(partition, records)
    },
  }
  const tracing = { ...noTracing, ended: (span: Span) => void spans.push(span) }
  const running = start(kafka, processor, { tracing })
  await until('all is done', async () => (await committed(kafka)) === 3n)
  await running.stop()

  const [first, second] = await readAll(kafka, output.name, 0)
  assert.deepEqual(seen, [spans[0]?.trace, undefined])
  assert.deepEqual(traceOf(first?.headers ?? {}), spans[0]?.trace)
  assert.deepEqual(second?.headers, {})
  assert.deepEqual((await readAll(kafka, changelog.name, 0))[0]?.headers, {})
  const [letter] = await readAll(kafka, deadLetterTopic(input), 0)
  assert.deepEqual(traceOf(letter?.headers ?? {}), parent)
  assert.deepEqual(
    spans.map(({ parent, trace, attributes }) => [parent, trace.traceId, attributes['outcome']]),
    [
      [parent, parent.traceId, 'emit'],
      [parent, parent.traceId, 'dead-letter'],
    ],
  )
  const page = await running.metrics.registry.metrics()
  assert.ok(page.includes(`# {trace_id="${parent.traceId}"}`))
})

test('run - lag is the age of the oldest record that waits, and nothing once it is done', async () => {
  const { cluster, kafka } = await createCluster()
  const running = start(kafka, countingProcessor())
  const ageSeconds = 3_600
  const lag = async () => {
    const text = await running.metrics.registry.getSingleMetricAsString(loopMetrics.lagSeconds.name)
    return Number(/partition="0".*\} (.+)$/m.exec(text)?.[1])
  }
  await until('partitions are owned', async () => (await lag()) === 0)
  let away = true
  cluster.failpoint = () => {
    if (away) throw new TransientError('the broker is away')
  }
  await send(kafka, [event('ada', 0), event('ada', 1)], 0, Date.now() - ageSeconds * 1_000)
  await until('the lag shows', async () => (await lag()) >= ageSeconds)
  const replaced = await running.metrics.registry.metrics()
  assert.match(
    replaced,
    /producers_replaced_total\{service="features",reason="outcome-unknown"\} [1-9]/,
  )
  away = false
  await until('all is done', async () => (await committed(kafka)) === 2n && (await lag()) === 0)
  await running.stop()
})

for (const point of ['before-commit', 'after-commit'] as const) {
  test(`run - a connection that breaks ${point} neither loses nor repeats, in output and state`, async () => {
    const { cluster, kafka } = await createCluster()
    let commits = 0
    cluster.failpoint = (reached) => {
      if (reached === point && commits++ % 3 === 0) throw new TransientError('the connection broke')
    }
    const running = start(kafka, countingProcessor())
    const total = 40
    for (let i = 0; i < total; i++) {
      await send(kafka, [event(`player-${i % 3}`, i)])
      await until('some progress', async () => (await committed(kafka)) >= BigInt(i) - 5n)
    }
    await until('all is done', async () => (await committed(kafka)) === BigInt(total))
    await running.stop()
    assert.ok(commits > 5, 'the failpoint was reached')
    const expected = Array.from(
      { length: total },
      (_, i) => `player-${i % 3}-${i}=${Math.floor(i / 3) + 1}`,
    )
    assert.deepEqual(await texts(kafka, output.name), expected)
  })
}

test('run - trouble of the world is waited out with the same records', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0), event('ada', 1)])
  let away = 3
  const inner = countingProcessor()
  const running = start(kafka, {
    ...inner,
    process(partition, records) {
      const outcomes = inner.process(partition, records)
      // After the state has changed, which must be undone.
      if (away-- > 0) throw new TransientError('the database is away', { retryAfterMs: 1 })
      return outcomes
    },
  })
  await until('all is done', async () => (await committed(kafka)) === 2n)
  await running.stop()
  assert.deepEqual(await texts(kafka, output.name), ['ada-0=1', 'ada-1=2'])
})

test('run - a bug ends the loop and commits nothing more', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0)])
  const running = start(kafka, {
    process: () => {
      throw new TypeError('a bug')
    },
  })
  await assert.rejects(running.finished, /a bug/)
  assert.equal(await committed(kafka), 0n)
})

test('run - partitions move between members, and state and counts go with them', async () => {
  const { kafka } = await createCluster()
  const total = 60
  const first = start(kafka, countingProcessor())
  let second: ReturnType<typeof start> | undefined
  for (let i = 0; i < total; i++) {
    for (const partition of [0, 1]) await send(kafka, [event(`player-${partition}`, i)], partition)
    if (i === 20) second = start(kafka, countingProcessor())
    if (i === 40) await second?.stop()
    await until('some progress', async () => (await committed(kafka, 1)) >= BigInt(i) - 5n)
  }
  for (const partition of [0, 1]) {
    await until('all is done', async () => (await committed(kafka, partition)) === BigInt(total))
    const expected = Array.from({ length: total }, (_, i) => `player-${partition}-${i}=${i + 1}`)
    assert.deepEqual(await texts(kafka, output.name, partition), expected)
  }
  await first.stop()
})

/** Nobody hears of a large transaction of a partition that a carrier commits, before it is released. */
function withoutAnswers(inner: Kafka, partition: number) {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let batches = 0
  const kafka: Kafka = {
    ...inner,
    consume: (options) =>
      inner.consume({
        ...options,
        onBatch(batch) {
          if (batch.partition === partition) batches++
          return options.onBatch(batch)
        },
      }),
    async openTransactional(id, reach) {
      const producer = await inner.openTransactional(id, reach)
      return {
        close: () => producer.close(),
        async commit(transaction) {
          await producer.commit(transaction)
          const own = transaction.records.filter((record) => record.partition === partition)
          if (!id.includes('.carrier-') || own.length < large) return
          reached.resolve()
          await released.promise
        },
      }
    },
  }
  return {
    kafka,
    batches: () => batches,
    reached: reached.promise,
    release: () => released.resolve(),
  }
}
/** More than one fetch brings. */
const large = 500
const many = (from: number) => Array.from({ length: 2 * large }, (_, i) => event('ada', from + i))

test('run - who is behind is given the next batch while the last commit is under way, and waits for it', async () => {
  const { kafka: inner } = await createCluster()
  const { kafka, batches, reached, release } = withoutAnswers(inner, 0)
  const counting = countingProcessor()
  let processed = 0
  const running = start(kafka, {
    ...counting,
    process(partition, records) {
      processed += records.length
      return counting.process(partition, records)
    },
  })
  await send(inner, [event('ada', 0)])
  await until('a carrier is named', async () => (await committed(inner)) === 1n)
  await send(inner, many(1))
  await reached
  await until('the next batch', () => batches() === 3)
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  assert.equal(processed, 1 + large)
  release()
  const total = 1 + 2 * large
  await until('all is done', async () => (await committed(inner)) === BigInt(total))
  await running.stop()
  const expected = Array.from({ length: total }, (_, i) => `ada-${i}=${i + 1}`)
  assert.deepEqual(await texts(inner, output.name), expected)
})

test('run - what fails each time is waited for and has its pauses, though the first time nobody waited', async () => {
  const { cluster, kafka } = await createCluster()
  const said: string[] = []
  const log = pino({}, { write: (line) => said.push((JSON.parse(line) as { msg: string }).msg) })
  const running = start(kafka, countingProcessor(), { log })
  await send(kafka, [event('ada', 0)])
  await until('a carrier is named', async () => (await committed(kafka)) === 1n)
  await send(kafka, [event('ada', 1)])
  await until('it has carried', async () => (await committed(kafka)) === 2n)
  let failures = 5
  cluster.failpoint = (_, id) => {
    if (id.includes('.carrier-') && failures-- > 0) {
      throw new TransientError('broken for the test', { retryAfterMs: 1 })
    }
  }
  await send(kafka, many(2))
  const total = 2 + 2 * large
  await until('all is done', async () => (await committed(kafka)) === BigInt(total))
  await running.stop()
  const count = (text: string) => said.filter((one) => one === text).length
  assert.equal(count('records come again'), 1)
  assert.equal(count('the batch will be tried again'), 4)
  const expected = Array.from({ length: total }, (_, i) => `ada-${i}=${i + 1}`)
  assert.deepEqual(await texts(kafka, output.name), expected)
})

test('run - an answer that comes when its partition has gone is not taken for a state in memory', async () => {
  const { kafka: inner } = await createCluster()
  const { kafka, reached, release } = withoutAnswers(inner, 1)
  const first = start(kafka, countingProcessor())
  await send(inner, [event('ada', 0)], 1)
  await until('a carrier is named', async () => (await committed(inner, 1)) === 1n)
  await send(inner, many(1), 1)
  await reached
  // Takes the partition over, and commits nothing before it leaves.
  let calls = 0
  const second = start(inner, {
    process() {
      calls++
      throw new TransientError('away', { retryAfterMs: 5 })
    },
  })
  await until('the second is given the partition', () => calls > 0)
  release()
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  await second.stop()
  const total = 1 + 2 * large
  await until('all is done', async () => (await committed(inner, 1)) === BigInt(total))
  await first.stop()
  const expected = Array.from({ length: total }, (_, i) => `ada-${i}=${i + 1}`)
  assert.deepEqual(await texts(inner, output.name, 1), expected)
})

for (const before of [0, 1]) {
  const through = before === 0 ? 'its own producer' : 'a carrier'
  test(`run - a member that wrote through ${through} and was replaced while it slept writes nothing more`, async () => {
    const { kafka } = await createCluster()
    for (let i = 0; i < before; i++) await send(kafka, [event('ada', i)])
    const asleep = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let calls = 0
    const inner = countingProcessor()
    const zombie = start(kafka, {
      ...inner,
      async process(partition, records) {
        const outcomes = await inner.process(partition, records)
        if (calls++ === before) {
          reached.resolve()
          await asleep.promise
        }
        return outcomes
      },
    })
    await until('the first', async () => (await committed(kafka)) === BigInt(before))
    await send(kafka, [event('ada', before)])
    await reached.promise
    const { producer } = await takeOver({
      kafka,
      service: services.features,
      topic: input,
      partition: 0,
      fence: createFence(kafka, { partitions: [] }),
    })
    const value = Buffer.from(`ada-${before}=successor`)
    await producer.commit({
      records: [{ topic: output.name, partition: 0, key: 'ada', value }],
      offsets: [
        {
          groupId: services.features.name,
          topic: input.name,
          partition: 0,
          next: BigInt(before) + 1n,
        },
      ],
    })
    asleep.resolve()
    await send(kafka, [event('ada', before + 1)])
    await until('the next record', async () => (await committed(kafka)) === BigInt(before) + 2n)
    await zombie.stop()
    const written = await texts(kafka, output.name)
    assert.equal(written[before], `ada-${before}=successor`)
    assert.equal(written.length, before + 2)
  })
}

test('run - lanes of a process commit together once each has named their carrier', async () => {
  const { cluster, kafka } = await createCluster()
  const commits: string[] = []
  cluster.failpoint = (point, id) => void (point === 'before-commit' && commits.push(id))
  const running = start(kafka, countingProcessor())
  for (const round of [1, 2]) {
    const producer = await kafka.openProducer()
    await producer.send(
      [0, 1].map((partition) => ({
        topic: input.name,
        partition,
        key: 'key',
        value: encoder.encode(event(`p${partition}`, round)),
      })),
    )
    for (const partition of [0, 1]) {
      await until('its commit', async () => (await committed(kafka, partition)) === BigInt(round))
    }
  }
  await running.stop()
  const [both, ...others] = commits.slice(2)
  const own = [0, 1].map((at) => transactionalIdOf(services.features, input, at))
  assert.deepEqual(new Set(commits.slice(0, 2)), new Set(own))
  assert.match(String(both), /player-activity\.carrier-/)
  assert.deepEqual(others, [])
})

test('run - topics alongside share one lane: broken connections neither lose nor repeat, in output and state', async () => {
  const { cluster, kafka } = await createCluster()
  const second = { ...input, name: 'second-activity' }
  for (const name of [second.name, deadLetterTopic(second)]) {
    await kafka.ensureTopics([{ name, partitions, config: {} }])
  }
  let commits = 0
  cluster.failpoint = (point) => {
    const breaks = point === 'after-commit' ? 3 : 4
    if (commits++ % breaks === 0) throw new TransientError('the connection broke')
  }
  const alongside = [{ topic: second, decoder: new Decoder(input.record) }]
  const running = start(kafka, countingProcessor(), { alongside })
  const producer = await kafka.openProducer()
  const total = 40
  for (let i = 0; i < total; i++) {
    await send(kafka, [event('ada', i)])
    const value = i === 7 ? Buffer.from('poison') : encoder.encode(event('ada', 1_000 + i))
    await producer.send([{ topic: second.name, partition: 0, key: 'ada', value }])
    await until('some progress', async () => (await committed(kafka)) >= BigInt(i) - 5n)
  }
  const group = services.features.name
  for (const { name } of [input, second]) {
    const done = async () => (await kafka.committedOffset(group, name, 0)) === BigInt(total)
    await until(`${name} is done`, done)
  }
  await running.stop()

  assert.ok(commits > 20, 'the failpoint was reached')
  const written = (await texts(kafka, output.name)).map((text) => text.split('='))
  // One count over both topics: their lane has one state.
  assert.deepEqual(
    written.map(([, count]) => Number(count)),
    Array.from({ length: 2 * total - 1 }, (_, i) => i + 1),
  )
  assert.equal(new Set(written.map(([id]) => id)).size, 2 * total - 1)
  const [letter, ...others] = await readAll(kafka, deadLetterTopic(second), 0)
  assert.equal(others.length, 0)
  assert.deepEqual(parseDeadLetter(letter as NonNullable<typeof letter>).offset, 7)
})

test('run - between chunks of lanes that were fetched together the process hears of the world', async () => {
  const { kafka } = await createCluster()
  const many = Array.from({ length: 500 }, (_, i) => event('ada', i))
  for (let partition = 0; partition < partitions; partition++) await send(kafka, many, partition)
  const seen: string[] = []
  const running = start(kafka, {
    process(_, records) {
      seen.push('chunk')
      setTimeout(() => seen.push('turn'), 1)
      const dueAt = performance.now() + 5
      while (performance.now() < dueAt);
      return records.map(() => emit([]))
    },
  })
  await until('all is done', async () => {
    const done = await Promise.all(
      Array.from({ length: partitions }, (_, i) => committed(kafka, i)),
    )
    return done.every((next) => next === BigInt(many.length))
  })
  await running.stop()
  assert.ok(seen.filter((one) => one === 'chunk').length >= partitions)
  assert.doesNotMatch(seen.join(' '), /chunk chunk/)
})

test('commitIntervalMs - what comes in the pause waits for its end, and an end of the service does not', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0)])
  const running = start(kafka, countingProcessor(), { commitIntervalMs: 3_600_000 })
  await until('the first is committed', async () => (await committed(kafka)) === 1n)
  await send(kafka, [event('ada', 1)])
  await running.stop()
  assert.equal(await committed(kafka), 1n)
})

test('run - a process does not live whose work does not come on, and does while others are away', async () => {
  const { kafka } = await createCluster()
  await send(kafka, [event('ada', 0)])
  let nowMs = 0
  const health = new Health(() => nowMs)
  const hang = Promise.withResolvers<never>()
  hang.promise.catch(() => undefined)
  let calls = 0
  const running = start(
    kafka,
    {
      async process() {
        // Ten minutes pass in each attempt.
        nowMs += 10 * 60_000
        if (++calls === 4) return hang.promise
        throw new TransientError('away', { retryAfterMs: 1 })
      },
    },
    { health },
  )
  await until('it hangs', () => Promise.resolve(calls === 4))
  assert.deepEqual(health.state.stuck, [])
  assert.equal(health.state.live, true)
  nowMs += 6 * 60_000
  assert.deepEqual(health.state.stuck, [`${services.features.name} 0`])
  assert.equal(health.state.live, false)
  hang.reject(new TransientError('was away', { retryAfterMs: 1 }))
  await until('it goes on', () => Promise.resolve(calls > 4))
  assert.equal(health.state.live, true)
  await running.stop()
})
