// Do records come back from bytes as they were, and is everything else refused with a reason?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activityProblem } from './activity.ts'
import { catalogue } from './catalogue.ts'
import { DecodeProblem, Decoder, Encoder, schemaIdOf, typeOf } from './codec.ts'
import { recordNames, schemaText } from './records.ts'
import type { PlayerActivity } from './types.ts'

const event: PlayerActivity = {
  eventId: 'e-1',
  kind: 'bet_placed',
  playerId: 'ada',
  occurredAt: 1_767_225_600_000,
  market: 'us-nj',
  acquisitionSource: null,
  product: 'sport',
  stake: 12.5,
  payout: null,
  odds: 2.1,
  inPlay: false,
  amount: null,
}

function decoderOf(schemaId = 1, writer: string | object = schemaText('player-activity')) {
  const decoder = new Decoder('player-activity')
  decoder.learn(schemaId, typeOf(writer))
  return decoder
}

test('Encoder - Confluent framing: zero, a big-endian id, then the body', () => {
  const bytes = new Encoder('player-activity', 0x01020304).encode(event)
  assert.deepEqual([...bytes.subarray(0, 5)], [0, 1, 2, 3, 4])
  const body = typeOf(schemaText('player-activity')).fromBuffer(bytes.subarray(5)) as PlayerActivity
  assert.deepEqual({ ...body }, event)
})

test('Encoder - values stay as they were while later ones fill slab after slab', () => {
  const encoder = new Encoder('player-activity', 1)
  const decoder = decoderOf()
  const encoded = Array.from({ length: 30_000 }, (_, i) =>
    encoder.encode({ ...event, eventId: `e-${i}` }),
  )
  const ids = encoded.map((bytes) => (decoder.decode(bytes) as PlayerActivity).eventId)
  assert.deepEqual(
    ids,
    Array.from({ length: 30_000 }, (_, i) => `e-${i}`),
  )
})

test('Encoder - a value larger than a slab is encoded too', () => {
  const eventId = 'x'.repeat(3_000_000)
  const bytes = new Encoder('player-activity', 1).encode({ ...event, eventId })
  assert.equal((decoderOf().decode(bytes) as PlayerActivity).eventId.length, eventId.length)
})

test('Encoder - a value that does not fit the schema is a bug and throws', () => {
  const encoder = new Encoder('player-activity', 1)
  assert.throws(() => encoder.encode({ ...event, occurredAt: 'today' as unknown as number }))
})

test('Decoder - null, unframed, cut, padded and unknown bytes each say what they are', () => {
  const bytes = new Encoder('player-activity', 1).encode(event)
  const decoder = decoderOf()
  decoder.learn(2, new DecodeProblem('unknown-schema-id', 'no schema 2'))
  const withId2 = Buffer.from(bytes)
  withId2.writeInt32BE(2, 1)
  const cases: [Buffer | null, string][] = [
    [null, 'null-value'],
    [Buffer.alloc(0), 'not-framed'],
    [Buffer.from([0, 0, 0, 1]), 'not-framed'],
    [Buffer.from('{"eventId":"e"}'), 'not-framed'],
    [bytes.subarray(0, bytes.length - 1), 'undecodable'],
    [Buffer.concat([bytes, Buffer.from([0])]), 'undecodable'],
    [withId2, 'unknown-schema-id'],
  ]
  for (const [value, reason] of cases) {
    const problem = decoder.decode(value)
    assert.ok(problem instanceof DecodeProblem, reason)
    assert.equal(problem.reason, reason)
    assert.ok(problem.detail.length > 0)
  }
})

test('Decoder - no cut of a record is ever taken for a record', () => {
  const bytes = new Encoder('player-activity', 1).encode(event)
  const decoder = decoderOf()
  for (let end = 0; end < bytes.length; end++) {
    assert.ok(decoder.decode(bytes.subarray(0, end)) instanceof DecodeProblem, `cut at ${end}`)
  }
})

test('Decoder - reads what an older and a newer compatible writer wrote', () => {
  const current = JSON.parse(schemaText('player-activity')) as { fields: { name: string }[] }
  const older = { ...current, fields: current.fields.filter(({ name }) => name !== 'inPlay') }
  const newer = {
    ...current,
    fields: [...current.fields, { name: 'betId', type: ['null', 'string'], default: null }],
  }
  const { inPlay: _, ...withoutInPlay } = event
  const body = (writer: object, value: object) =>
    Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), typeOf(writer).toBuffer(value)])
  assert.deepEqual(
    { ...(decoderOf(7, older).decode(body(older, withoutInPlay)) as PlayerActivity) },
    { ...event, inPlay: null },
  )
  assert.deepEqual(
    { ...(decoderOf(7, newer).decode(body(newer, { ...event, betId: 'b' })) as PlayerActivity) },
    event,
  )
})

test('Decoder - a writer schema that is another record says so', () => {
  const bytes = new Encoder('player-activity', 3).encode(event)
  const problem = decoderOf(3, schemaText('churn-score')).decode(bytes)
  assert.ok(problem instanceof DecodeProblem)
  assert.equal(problem.reason, 'incompatible-schema')
})

test('Decoder - bytes of a schema nobody asked about are a bug of the caller', () => {
  const bytes = new Encoder('player-activity', 9).encode(event)
  assert.throws(() => decoderOf(1).decode(bytes), /was not learnt/)
})

test('schemaIdOf - reads the id or says why there is none', () => {
  assert.equal(schemaIdOf(Buffer.from([0, 0, 0, 1, 0, 42])), 256)
  assert.ok(schemaIdOf(Buffer.from([1, 0, 0, 0, 1, 0])) instanceof DecodeProblem)
})

test('schemas - every record compiles, and the vector has each feature of the catalogue, nullable', () => {
  for (const name of recordNames) assert.ok(typeOf(schemaText(name)))
  const vector = JSON.parse(schemaText('feature-vector')) as {
    fields: { name: string; type: unknown }[]
  }
  for (const { name, type } of catalogue) {
    assert.deepEqual(vector.fields.find((field) => field.name === name)?.type, ['null', type])
  }
})

test('activityProblem - names the field and the reason, and passes what makes sense', () => {
  assert.equal(activityProblem(event), undefined)
  const cases: [Partial<PlayerActivity>, string, string][] = [
    [{ kind: 'bet_dreamt' }, 'kind', 'unknown-kind'],
    [{ eventId: '' }, 'eventId', 'bad-event-id'],
    [{ playerId: 'a\u0000b' }, 'playerId', 'bad-player-id'],
    [{ market: 'New Jersey' }, 'market', 'bad-market'],
    [{ occurredAt: -5 }, 'occurredAt', 'bad-event-time'],
    [{ stake: null }, 'stake', 'missing-stake'],
    [{ stake: NaN }, 'stake', 'stake-not-finite'],
    [{ stake: -1 }, 'stake', 'stake-negative'],
    [{ stake: 1e12 }, 'stake', 'stake-too-large'],
    [{ odds: 0.5 }, 'odds', 'odds-below-one'],
  ]
  for (const [change, field, reason] of cases) {
    const problem = activityProblem({ ...event, ...change })
    assert.deepEqual([problem?.field, problem?.reason], [field, reason])
  }
})
