// Does every request get the answer that the contract promises?
import { TransientError, partitionOf } from '@churnstream/runtime'
import { Encoder, RegistryUnavailable, type PlayerActivity } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { connect, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { bet, createRig, decodeActivity, knownSchemaId, nowMs, type Rig } from './testing.ts'

const { partitions } = topics.playerActivity
const post = (rig: Rig, body: unknown) =>
  rig.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { 'content-type': 'application/json' },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
const avro = (rig: Rig, payload: Buffer) =>
  rig.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { 'content-type': 'avro/binary' },
    payload,
  })
const activity = (change: Record<string, unknown> = {}): PlayerActivity =>
  ({ acquisitionSource: null, payout: null, amount: null, ...bet(change) }) as PlayerActivity
const framed = (change: Record<string, unknown> = {}, schemaId = knownSchemaId): Buffer =>
  Buffer.from(new Encoder('player-activity', schemaId).encode(activity(change)))

const tenYearsMs = 10 * 365 * 86_400_000

const rejectedEvents: [string, unknown, string, string | null][] = [
  ['an unknown kind', bet({ kind: 'cash_out' }), 'unknown-kind', 'kind'],
  ['a clock record', bet({ kind: 'clock' }), 'clock-kind', 'kind'],
  ['no eventId', bet({ eventId: undefined }), 'missing-event-id', 'eventId'],
  ['a null eventId', bet({ eventId: null }), 'bad-event-id', 'eventId'],
  ['an empty eventId', bet({ eventId: '' }), 'bad-event-id', 'eventId'],
  ['a numeric eventId', bet({ eventId: 7 }), 'bad-event-id', 'eventId'],
  ['a negative stake', bet({ stake: -1 }), 'stake-negative', 'stake'],
  ['a huge stake', bet({ stake: 1e10 }), 'stake-too-large', 'stake'],
  ['a stake in a string', bet({ stake: '5' }), 'bad-stake', 'stake'],
  ['no stake on a bet', bet({ stake: null }), 'missing-stake', 'stake'],
  ['odds below one', bet({ odds: 0.5 }), 'odds-below-one', 'odds'],
  ['inPlay in a number', bet({ inPlay: 1 }), 'bad-in-play', 'inPlay'],
  [
    'event time ten years ago',
    bet({ occurredAt: nowMs - tenYearsMs }),
    'event-time-too-old',
    'occurredAt',
  ],
  [
    'event time ten years ahead',
    bet({ occurredAt: nowMs + tenYearsMs }),
    'event-time-ahead',
    'occurredAt',
  ],
  ['event time in text', bet({ occurredAt: '2026-11-01' }), 'bad-occurred-at', 'occurredAt'],
  ['a fraction of event time', bet({ occurredAt: nowMs - 0.5 }), 'bad-event-time', 'occurredAt'],
  ['an unknown field', bet({ stakes: 5 }), 'unknown-field', 'stakes'],
  ['NUL in playerId', bet({ playerId: 'p\u0000' }), 'bad-player-id', 'playerId'],
  ['half a surrogate pair', bet({ playerId: 'p\ud800' }), 'bad-player-id', 'playerId'],
  ['a long playerId', bet({ playerId: 'p'.repeat(201) }), 'bad-player-id', 'playerId'],
  ['a long product', bet({ product: 'p'.repeat(65) }), 'bad-product', 'product'],
  ['a market in capitals', bet({ market: 'US-NJ' }), 'bad-market', 'market'],
]

for (const [what, event, reason, field] of rejectedEvents) {
  test(`POST /v1/events - ${what} is rejected as ${reason}, and nothing is sent`, async () => {
    await using rig = await createRig()
    const answer = await post(rig, event)
    assert.equal(answer.statusCode, 400)
    const { results } = answer.json()
    assert.equal(results.length, 1)
    const { eventId } = event as { eventId?: unknown }
    assert.deepEqual(results[0], {
      eventId: typeof eventId === 'string' ? eventId : null,
      status: 'rejected',
      reason,
      field,
      message: results[0].message,
    })
    assert.ok(results[0].message.length > 0)
    assert.equal(rig.broker.sends.length, 0)
  })
}

const text = JSON.stringify(bet())
const many = (count: number) => ({ events: Array.from({ length: count }, () => bet()) })

const refusedRequests: [string, string, number, string, string | null, RegExp][] = [
  ['JSON that ends early', text.slice(0, -1), 400, 'malformed-json', null, /position \d+/],
  ['NaN', text.replace('5', 'NaN'), 400, 'malformed-json', null, /'N'.*position \d+/],
  ['no JSON at all', 'hello', 400, 'malformed-json', null, /'h'.*position 0/],
  ['an empty body', '', 400, 'malformed-json', null, /end of JSON/],
  ['a megabyte of brackets', '['.repeat(1 << 20), 400, 'malformed-json', null, /JSON/],
  ['a bare array', '[]', 400, 'not-an-event', null, /"events"/],
  ['null', 'null', 400, 'not-an-event', null, /"events"/],
  ['an empty batch', '{"events":[]}', 400, 'empty-batch', 'events', /at least one/],
  ['events that are no array', '{"events":{}}', 400, 'bad-events', 'events', /array/],
  ['a field beside events', '{"events":[1],"a":1}', 400, 'unknown-field', 'a', /events/],
  ['1,001 events', JSON.stringify(many(1_001)), 413, 'too-many-events', 'events', /1000/],
  ['5 MB', JSON.stringify('x'.repeat(5e6)), 413, 'body-too-large', null, /1048576/],
]

for (const [what, body, status, reason, field, message] of refusedRequests) {
  test(`POST /v1/events - ${what} is refused with ${status} ${reason}`, async () => {
    await using rig = await createRig()
    const answer = await post(rig, body)
    assert.equal(answer.statusCode, status)
    assert.equal(answer.json().reason, reason)
    assert.equal(answer.json().field, field)
    assert.match(answer.json().message, message)
    assert.equal(rig.broker.sends.length, 0)
    assert.deepEqual(rig.fatal, [])
  })
}

test('POST /v1/events - an infinite stake is rejected by its field', async () => {
  await using rig = await createRig()
  const answer = await post(rig, text.replace('"stake":5', '"stake":1e999'))
  assert.equal(answer.statusCode, 400)
  assert.equal(answer.json().results[0].reason, 'stake-not-finite')
  assert.equal(rig.broker.sends.length, 0)
})

test('POST /v1/events - __proto__ is an unknown field like any other', async () => {
  await using rig = await createRig()
  const answer = await post(rig, text.replace('{', '{"__proto__":{"stake":1},'))
  assert.equal(answer.statusCode, 400)
  assert.equal(answer.json().results[0].reason, 'unknown-field')
  assert.equal(rig.broker.sends.length, 0)
})

test('POST /v1/events - bytes that are not UTF-8 are refused', async () => {
  await using rig = await createRig()
  const payload = Buffer.concat([
    Buffer.from('{"eventId":"'),
    Buffer.from([0xff]),
    Buffer.from('"}'),
  ])
  const headers = { 'content-type': 'application/json' }
  const answer = await rig.app.inject({ method: 'POST', url: '/v1/events', headers, payload })
  assert.equal(answer.statusCode, 400)
  assert.match(answer.json().message, /UTF-8/)
})

test('POST /v1/events - another content type gets 415 that names the two', async () => {
  await using rig = await createRig()
  for (const type of ['text/plain', 'application/xml', undefined]) {
    const headers = type === undefined ? {} : { 'content-type': type }
    const answer = await rig.app.inject({
      method: 'POST',
      url: '/v1/events',
      headers,
      payload: 'x',
    })
    assert.equal(answer.statusCode, 415)
    assert.match(answer.json().message, /application\/json.*avro\/binary/)
  }
  const bare = await rig.app.inject({ method: 'POST', url: '/v1/events' })
  assert.equal(bare.statusCode, 415)
})

test('POST /v1/events - an accepted event is keyed, placed by its player and written whole', async () => {
  await using rig = await createRig()
  const answer = await post(rig, bet())
  assert.equal(answer.statusCode, 202)
  const partition = partitionOf('p-1', partitions)
  assert.deepEqual(answer.json(), {
    results: [{ eventId: 'e-1', status: 'accepted', partition, offset: 0 }],
  })
  const [record] = rig.broker.records
  assert.ok(record)
  assert.equal(record.key, 'p-1')
  assert.equal(record.partition, partition)
  assert.deepEqual(decodeActivity(record), activity())
})

test('POST /v1/events - a mixed batch is answered in its order', async () => {
  await using rig = await createRig()
  const events = [
    bet({ eventId: 'a' }),
    bet({ eventId: 'b', stake: -1 }),
    'no event',
    bet({ eventId: 'c', playerId: 'p-2' }),
    { stake: 1 },
    bet({ eventId: 'd' }),
  ]
  const answer = await post(rig, { events })
  assert.equal(answer.statusCode, 202)
  const { results } = answer.json()
  assert.deepEqual(
    results.map((result: { eventId: string | null; status: string }) => [
      result.eventId,
      result.status,
    ]),
    [
      ['a', 'accepted'],
      ['b', 'rejected'],
      [null, 'rejected'],
      ['c', 'accepted'],
      [null, 'rejected'],
      ['d', 'accepted'],
    ],
  )
  assert.equal(results[5].offset, results[0].offset + 1)
  assert.equal(rig.broker.records.length, 3)
})

test('POST /v1/events - one Avro event is taken, and checked like JSON', async () => {
  await using rig = await createRig()
  assert.equal((await avro(rig, framed())).statusCode, 202)
  assert.equal(rig.broker.records.length, 1)
  for (const [change, reason] of [
    [{ stake: Number.NaN }, 'stake-not-finite'],
    [{ stake: Number.POSITIVE_INFINITY }, 'stake-not-finite'],
    [{ kind: 'clock' }, 'clock-kind'],
    [{ occurredAt: nowMs - tenYearsMs }, 'event-time-too-old'],
    [{ playerId: 'a\u0000' }, 'bad-player-id'],
  ] as const) {
    const answer = await avro(rig, framed(change))
    assert.equal(answer.statusCode, 400)
    assert.equal(answer.json().results[0].reason, reason)
  }
  assert.equal(rig.broker.records.length, 1)
})

test('POST /v1/events - Avro bytes that are no record get 400 with the reason', async () => {
  await using rig = await createRig()
  for (const [payload, reason] of [
    [Buffer.from('hello'), 'not-framed'],
    [Buffer.alloc(0), 'not-framed'],
    [framed().subarray(0, 12), 'undecodable'],
    [Buffer.concat([framed(), Buffer.from([0])]), 'undecodable'],
    [framed({}, 99), 'unknown-schema-id'],
  ] as const) {
    const answer = await avro(rig, payload)
    assert.equal(answer.statusCode, 400)
    assert.equal(answer.json().reason, reason)
  }
  assert.equal(rig.broker.sends.length, 0)
})

test('POST /v1/events - a registry that is away gets Avro 503 with Retry-After', async () => {
  const schemas = {
    prepare: async () => {
      throw new RegistryUnavailable('reading schema 7: ECONNREFUSED')
    },
  }
  await using rig = await createRig({ schemas })
  const answer = await avro(rig, framed())
  assert.equal(answer.statusCode, 503)
  assert.equal(answer.json().reason, 'registry-away')
  assert.match(String(answer.headers['retry-after']), /^[1-9]\d*$/)
})

test('POST /v1/events - from 80 % of the queue on the answer is 503 at once', async () => {
  await using rig = await createRig({ maxQueued: 100 })
  rig.broker.hold()
  const first = post(rig, many(79))
  const second = post(rig, bet())
  while (rig.writer.refusal() === undefined) await new Promise(setImmediate)
  const refused = await post(rig, bet())
  assert.equal(refused.statusCode, 503)
  assert.equal(refused.json().reason, 'queue-full')
  assert.match(refused.json().message, /80 of at most 100/)
  assert.equal(refused.headers['retry-after'], '1')
  rig.broker.release()
  assert.equal((await first).statusCode, 202)
  assert.equal((await second).statusCode, 202)
  assert.equal((await post(rig, bet())).statusCode, 202)
})

test('POST /v1/events - a failed send answers 503, never 202, and the producer is replaced', async () => {
  await using rig = await createRig()
  rig.broker.sendError = new TransientError('sending')
  const failed = await post(rig, bet())
  assert.equal(failed.statusCode, 503)
  assert.equal(failed.json().reason, 'not-acknowledged')
  assert.match(failed.json().message, /same eventIds/)
  assert.ok(failed.headers['retry-after'])
  assert.deepEqual(rig.fatal, [])
  rig.broker.sendError = undefined
  const again = await post(rig, bet())
  assert.equal(again.statusCode, 202)
  assert.equal(rig.broker.opened, 2)
  assert.equal(rig.broker.closed, 1)
})

test('POST /v1/events - without Kafka the answer is 503 and readiness says so', async () => {
  const openProducer = async () => {
    throw new TransientError('opening a producer: ECONNREFUSED')
  }
  await using rig = await createRig({ openProducer, awaitProducer: false })
  const answer = await post(rig, bet())
  assert.equal(answer.statusCode, 503)
  assert.equal(answer.json().reason, 'kafka-away')
  assert.ok(answer.headers['retry-after'])
  const ready = await rig.app.inject('/health/ready')
  assert.equal(ready.statusCode, 503)
  assert.match(ready.body, /Kafka is away/)
})

test('every path - 404 and 405 are JSON without a stack', async () => {
  await using rig = await createRig()
  const missing = await rig.app.inject('/nothing')
  assert.equal(missing.statusCode, 404)
  assert.equal(missing.json().reason, 'not-found')
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'] as const) {
    const answer = await rig.app.inject({ method, url: '/v1/events?x=1' })
    assert.equal(answer.statusCode, 405)
    assert.equal(answer.headers.allow, 'POST')
    assert.equal(answer.json().reason, 'method-not-allowed')
  }
  const badUrl = await rig.app.inject('/%zz')
  assert.equal(badUrl.statusCode, 400)
  assert.deepEqual(Object.keys(badUrl.json()), ['reason', 'field', 'message'])
})

test('a bug - is answered without its words, and ends the process', async () => {
  const bug = new TypeError('secret place')
  const schemas = {
    prepare: async () => {
      throw bug
    },
  }
  await using rig = await createRig({ schemas })
  const answer = await avro(rig, framed())
  assert.equal(answer.statusCode, 500)
  assert.doesNotMatch(answer.body, /secret|\.ts/)
  assert.deepEqual(rig.fatal, [bug])
})

test('over a socket - a body of 50 MB is answered, not cut off', async () => {
  await using rig = await createRig()
  await rig.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = rig.app.server.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: 'x'.repeat(50_000_000),
  })
  assert.equal(answer.status, 413)
})

test('over a socket - who goes on sending after the 413 is heard, and may ask again', async () => {
  await using rig = await createRig()
  await rig.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = rig.app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  socket.on('error', () => undefined)
  const answers = socket[Symbol.asyncIterator]() as AsyncIterator<string>
  const size = 5_000_000
  socket.write(
    'POST /v1/events HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n' +
      `content-length: ${size}\r\n\r\n`,
  )
  assert.match((await answers.next()).value as string, /^HTTP\/1.1 413 /)
  socket.write('x'.repeat(size))
  socket.write('GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n')
  assert.match((await answers.next()).value as string, /^HTTP\/1.1 200 /)
  socket.destroy()
})

test('shutdown - what is under way is answered 202, what comes later 503', async () => {
  await using rig = await createRig()
  await rig.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = rig.app.server.address() as AddressInfo
  rig.broker.hold()
  const underWay = fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(many(3)),
  })
  while ((await rig.app.inject('/metrics')).body.match(/queued_events\S* 3\n/) === null) {
    await new Promise(setImmediate)
  }
  const closing = rig.app.close()
  await new Promise(setImmediate)
  rig.broker.release()
  assert.equal((await underWay).status, 202)
  await closing
  await rig.writer.close()
  assert.equal(rig.broker.records.length, 3)
  assert.equal(rig.broker.closed, 1)
  await assert.rejects(rig.writer.write([]), /stopping/)
})

test('metrics - events are counted by verdict and reason', async () => {
  await using rig = await createRig()
  await post(rig, { events: [bet(), bet({ stake: -1 })] })
  const { body } = await rig.app.inject('/metrics')
  assert.match(body, /ingested_events_total\{verdict="accepted",reason="",\S*\} 1/)
  assert.match(body, /ingested_events_total\{verdict="rejected",reason="stake-negative",\S*\} 1/)
})

test('POST /v1/events - a player beyond its burst is deferred in order, others are not', async () => {
  await using rig = await createRig({ allowance: { eventsPerSecond: 0.001, burstEvents: 2 } })
  const of = (playerId: string, eventId: string) => bet({ playerId, eventId })
  const events = [
    of('ada', 'a1'),
    of('ada', 'a2'),
    of('ada', 'a3'),
    of('bo', 'b1'),
    of('ada', 'a4'),
  ]
  const answer = await post(rig, { events })
  assert.equal(answer.statusCode, 202)
  const { results } = answer.json<{ results: { status: string; retryAfterMs?: number }[] }>()
  const statuses = results.map(({ status }) => status)
  assert.deepEqual(statuses, ['accepted', 'accepted', 'deferred', 'accepted', 'deferred'])
  assert.ok((results[4]?.retryAfterMs ?? 0) > (results[2]?.retryAfterMs ?? 0))
  assert.equal(rig.broker.records.length, 3)

  const again = await post(rig, { events: [of('ada', 'a3')] })
  assert.equal(again.statusCode, 429)
  assert.ok(Number(again.headers['retry-after']) > 900)
  assert.equal(rig.broker.records.length, 3)
})

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const callersSpan = '00f067aa0ba902b7'
const traced = (rig: Rig, traceparent?: string) =>
  rig.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { 'content-type': 'application/json', ...(traceparent && { traceparent }) },
    payload: JSON.stringify(bet()),
  })

test('trace - a sampled request goes on in its records, its answer and its span', async () => {
  await using rig = await createRig()
  const answer = await traced(rig, `00-${traceId}-${callersSpan}-01`)
  const header = String(rig.broker.records[0]?.headers?.['traceparent'])
  assert.match(header, new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
  assert.equal(answer.headers['traceparent'], header)
  const [span, ...others] = rig.spans
  assert.deepEqual(span?.parent, { traceId, spanId: callersSpan })
  assert.equal(header, `00-${traceId}-${span?.trace.spanId}-01`)
  assert.equal(span?.attributes['http.response.status_code'], 202)
  assert.deepEqual(others, [])
})

test('trace - a request that is not sampled costs no header, whatever the share', async () => {
  await using rig = await createRig({ traceShare: 1 })
  await traced(rig, `00-${traceId}-${callersSpan}-00`)
  assert.equal(rig.broker.records[0]?.headers, undefined)
  await using none = await createRig({ traceShare: 0 })
  await traced(none)
  await traced(none, 'no trace context')
  assert.deepEqual(
    none.broker.records.map(({ headers }) => headers),
    [undefined, undefined],
  )
  assert.deepEqual([...rig.spans, ...none.spans], [])
})

test('trace - of requests without a context the stated share begins one', async () => {
  await using rig = await createRig({ traceShare: 1 })
  await traced(rig)
  assert.match(String(rig.broker.records[0]?.headers?.['traceparent']), /^00-[0-9a-f]{32}-/)
  assert.equal(rig.spans[0]?.parent, undefined)
})
