// Do the bytes say the same to a model as the decoded record does?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogue, type Feature } from '../src/catalogue.ts'
import { DecodeProblem, Decoder, Encoder, typeOf } from '../src/codec.ts'
import { schemaText } from '../src/records.ts'
import type { FeatureVector } from '../src/types.ts'
import type { Column } from './columns.ts'
import { fillingOf } from './filling.ts'
import { ContractProblem } from './problem.ts'
import { Projection, VectorDecoder, type VectorView } from './vector.ts'

const schemaId = 1
const encoder = new Encoder('feature-vector', schemaId)
const levels: Record<string, readonly string[]> = {
  market: ['gb', 'us-nj', 'au-nsw', 'Österreich'],
  acquisition_source: ['paid', 'organic'],
  first_product: ['sport', 'casino'],
}

/** A linear congruential generator: the same numbers in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function makeVector(next: () => number): FeatureVector {
  const features = catalogue.map(({ name, type }) => {
    if (next() < 0.2) return [name, null]
    if (type === 'double') return [name, (next() - 0.3) * 10 ** Math.floor(next() * 8)]
    const known = levels[name] as readonly string[]
    return [name, next() < 0.2 ? 'elsewhere' : known[Math.floor(next() * known.length)]]
  })
  return {
    ...Object.fromEntries(features),
    playerId: `player-${Math.floor(next() * 1e6)}`,
    asOf: Math.floor(next() * 2 ** 45),
    trigger: 'activity',
    causeEventId: 'é'.repeat(Math.floor(next() * 4)),
    causeTopic: 'player-activity',
    causePartition: Math.floor(next() * 8),
    causeOffset: Math.floor(next() * 2 ** 52),
  } as FeatureVector
}

function makeColumns(next: () => number): Column[] {
  const columns: Column[] = []
  for (const { name, type } of catalogue) {
    if (type === 'double') {
      if (next() < 0.6) columns.push({ name })
      continue
    }
    const known = levels[name] as readonly string[]
    if (next() < 0.4) columns.push({ name, levels: known.toReversed() })
    else for (const level of known) if (next() < 0.7) columns.push({ name: `${name}_${level}` })
  }
  if (columns.length === 0) columns.push({ name: 'bets_7d' })
  return columns.toSorted(() => next() - 0.5)
}

/** The slow and obvious way. */
function oracle(columns: readonly Column[], vector: Record<string, unknown>): number[] {
  return columns.map(({ name, levels: known }) => {
    const feature = catalogue.find((candidate) => candidate.name === name)
    if (known !== undefined) {
      const code = known.indexOf(String(vector[name]))
      return code < 0 ? NaN : code
    }
    if (feature !== undefined) {
      const value = vector[name] as number | null
      return value === null ? NaN : Math.fround(value)
    }
    const categorical = catalogue.find(
      (candidate) => candidate.type === 'string' && name.startsWith(`${candidate.name}_`),
    ) as { name: string }
    return vector[categorical.name] === name.slice(categorical.name.length + 1) ? 1 : 0
  })
}

function decoders(writer = typeOf(schemaText('feature-vector'))) {
  const decoder = new Decoder('feature-vector')
  const views = new VectorDecoder()
  decoder.learn(schemaId, writer)
  views.learn(schemaId, writer)
  return { decoder, views }
}

function viewOf(views: VectorDecoder, value: Buffer): VectorView {
  const view = views.decode(value)
  assert.ok(!(view instanceof DecodeProblem), JSON.stringify(view))
  return view
}

test('Projection - every vector gives the numbers that its record gives, whatever the columns', () => {
  const next = random(1)
  const { views } = decoders()
  for (let round = 0; round < 60; round++) {
    const columns = makeColumns(next)
    const projection = Projection.of(columns)
    assert.ok(projection instanceof Projection)
    const vectors = Array.from({ length: 40 }, () => makeVector(next))
    const rows = projection.rows(vectors.map((vector) => viewOf(views, encoder.encode(vector))))
    const expected = vectors.flatMap((vector) => oracle(columns, { ...vector }))
    assert.deepEqual([...rows], expected)
  }
})

test('VectorDecoder - carries what a score repeats', () => {
  const next = random(2)
  const { views } = decoders()
  for (let round = 0; round < 200; round++) {
    const vector = makeVector(next)
    const {
      bytes: _bytes,
      layout: _layout,
      featuresAt: _at,
      ...view
    } = viewOf(views, encoder.encode(vector))
    const { playerId, asOf, trigger, causeEventId, causeTopic } = vector
    const { causePartition, causeOffset, market } = vector
    assert.deepEqual(view, {
      playerId,
      asOf,
      trigger,
      causeEventId,
      causeTopic,
      causePartition,
      causeOffset,
      market,
    })
  }
})

interface AvroField {
  name: string
  type: unknown
  default?: unknown
}
const schema = JSON.parse(schemaText('feature-vector')) as { fields: AvroField[] }

/** Writers that our reader must understand: fewer features, another order, further fields. */
const writers: Record<string, (fields: AvroField[]) => AvroField[]> = {
  older: (fields) =>
    fields.filter(({ name }) => !['losing_streak', 'first_product'].includes(name)),
  shuffled: (fields) => fields.toReversed(),
  newer: (fields) => [
    { name: 'extra_first', type: { type: 'map', values: ['null', 'string'] } },
    ...fields.slice(0, 9),
    { name: 'extra_list', type: { type: 'array', items: 'double' } },
    { name: 'extra_nothings', type: { type: 'array', items: 'null' } },
    { name: 'extra_hash', type: 'bytes' },
    {
      name: 'extra_chain',
      type: {
        type: 'record',
        name: 'Chain',
        fields: [{ name: 'next', type: ['null', 'Chain'] }],
      },
    },
    {
      name: 'extra_record',
      type: {
        type: 'record',
        name: 'Extra',
        fields: [
          { name: 'flag', type: 'boolean' },
          { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
          { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 3 } },
          { name: 'rest', type: 'bytes' },
        ],
      },
    },
    ...fields.slice(9),
  ],
  narrower: (fields) =>
    fields.map((field) => (field.name === 'bets_7d' ? { ...field, type: ['null', 'int'] } : field)),
  otherwise: (fields) =>
    fields.map((field) => {
      if (field.name === 'bets_7d') return { ...field, type: 'long' }
      if (field.name === 'stake_1d') return { ...field, type: ['double', 'null'] }
      return field.name === 'acquisition_source' ? { ...field, type: ['string', 'null'] } : field
    }),
  required: (fields) =>
    fields.map((field) =>
      field.name === 'bets_30d' ? { name: field.name, type: 'float' } : field,
    ),
}

for (const [kind, change] of Object.entries(writers)) {
  test(`VectorDecoder - a compatible writer is understood as Decoder understands it: ${kind}`, () => {
    const fields = change(schema.fields.map(({ name, type }) => ({ name, type })))
    const writer = typeOf({ type: 'record', name: 'churnstream.FeatureVector', fields })
    const { decoder, views } = decoders(writer)
    const next = random(3)
    for (let round = 0; round < 50; round++) {
      const vector = {
        ...makeVector(next),
        bets_7d: Math.floor(next() * 100),
        bets_30d: Math.fround(next()),
        extra_first: { a: null, b: 'x' },
        extra_list: [1, 2, 3],
        extra_nothings: [null, null],
        extra_hash: Buffer.from([0xff, 0xfe]),
        extra_chain: { next: { next: null } },
        extra_record: { flag: true, kind: 'B', hash: Buffer.from('abc'), rest: Buffer.from('xy') },
      }
      const value = Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId]), writer.toBuffer(vector)])
      const record = decoder.decode(value)
      assert.ok(!(record instanceof DecodeProblem), JSON.stringify(record))
      const columns = makeColumns(next)
      const projection = Projection.of(columns)
      assert.ok(projection instanceof Projection)
      const row = [...projection.rows([viewOf(views, value)])]
      assert.deepEqual(row, oracle(columns, { ...record }))
    }
  })
}

test('VectorDecoder - what Decoder refuses it refuses, for the same reason', () => {
  const next = random(4)
  const { decoder, views } = decoders()
  const incompatible = typeOf({ type: 'record', name: 'Other', fields: [] })
  decoder.learn(2, incompatible)
  views.learn(2, incompatible)
  const good = encoder.encode(makeVector(next))
  const ofSchema2 = Buffer.from(good)
  ofSchema2.writeInt32BE(2, 1)
  const bad: (Buffer | null)[] = [null, Buffer.alloc(0), Buffer.from('garbage'), ofSchema2]
  for (let length = 5; length < good.length; length++) bad.push(good.subarray(0, length))
  bad.push(Buffer.concat([good, Buffer.from([0])]))
  for (const value of bad) {
    const [expected, found] = [decoder.decode(value), views.decode(value)]
    assert.ok(expected instanceof DecodeProblem && found instanceof DecodeProblem)
    assert.equal(found.reason, expected.reason)
  }
})

// avsc may run backwards or for ever in arrays of corrupted sizes, so only the others are compared.
for (const [kind, change] of Object.entries({
  current: (fields: AvroField[]) => fields,
  ...writers,
})) {
  if (kind === 'newer') continue
  test(`VectorDecoder - corrupted bytes are refused, or read, as Decoder does: ${kind}`, () => {
    const next = random(5)
    const fields = change(schema.fields.map(({ name, type }) => ({ name, type })))
    const writer = typeOf({ type: 'record', name: 'churnstream.FeatureVector', fields })
    const { decoder, views } = decoders(writer)
    const columns = makeColumns(next)
    const projection = Projection.of(columns)
    assert.ok(projection instanceof Projection)
    const counts = { read: 0, refused: 0 }
    for (let round = 0; round < 3_000; round++) {
      const vector = { ...makeVector(next), bets_7d: round, bets_30d: Math.fround(next()) }
      const value = Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId]), writer.toBuffer(vector)])
      const at = 5 + Math.floor(next() * (value.length - 5))
      // 0x80 and above make varints longer, the favourite way to break them.
      value[at] = next() < 0.3 ? 0x80 + (value[at] as number) : Math.floor(next() * 256)
      const [record, view] = [decoder.decode(value), views.decode(value)]
      if (record instanceof DecodeProblem || view instanceof DecodeProblem) {
        assert.deepEqual([reasonOf(view), reasonOf(record)], Array(2).fill('undecodable'))
        counts.refused++
        continue
      }
      counts.read++
      assert.deepEqual([...projection.rows([view])], oracle(columns, { ...record }))
      for (const name of ['playerId', 'asOf', 'causePartition', 'causeOffset', 'market'] as const) {
        assert.equal(view[name], record[name])
      }
    }
    assert.ok(counts.read > 500 && counts.refused > 300, JSON.stringify(counts))
  })
}

const reasonOf = (decoded: object) =>
  decoded instanceof DecodeProblem ? decoded.reason : 'decoded'

test('VectorDecoder - what a score repeats may be written in another way: bytes for text, int for long', () => {
  const fields = schema.fields.map(({ name, type }) => {
    if (name === 'causeTopic' || name === 'market') return { name, type: 'bytes' }
    return { name, type: name === 'causeOffset' ? 'int' : type }
  })
  const writer = typeOf({ type: 'record', name: 'churnstream.FeatureVector', fields })
  const { decoder, views } = decoders(writer)
  const vector = {
    ...makeVector(random(6)),
    causeTopic: Buffer.from('player-activity'),
    market: Buffer.from('Österreich'),
    causeOffset: 77,
  }
  const value = Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId]), writer.toBuffer(vector)])
  const [record, view] = [decoder.decode(value), viewOf(views, value)]
  assert.ok(!(record instanceof DecodeProblem))
  for (const name of ['causeTopic', 'market', 'causeOffset'] as const) {
    assert.equal(view[name], record[name])
  }
  const projection = Projection.of([{ name: 'market_gb' }, { name: 'market_Österreich' }])
  assert.ok(projection instanceof Projection)
  assert.deepEqual([...projection.rows([view])], [0, 1])
})

test('VectorDecoder - a long that is no safe integer is refused where a score repeats it, not elsewhere', () => {
  const extra = { name: 'extra_digest', type: 'long' }
  const fields = [...schema.fields.map(({ name, type }) => ({ name, type })), extra]
  const writer = typeOf({ type: 'record', name: 'churnstream.FeatureVector', fields })
  const { decoder, views } = decoders(writer)
  const vector = { ...makeVector(random(7)), extra_digest: 0 }
  const header = Buffer.from([0, 0, 0, 0, schemaId])
  const body = writer.toBuffer(vector)
  const largest = Buffer.from('ffffffffffffffffff01', 'hex')
  const inExtra = Buffer.concat([header, body.subarray(0, -1), largest])
  assert.deepEqual(
    [decoder, views].map((d) => reasonOf(d.decode(inExtra) as object)),
    ['decoded', 'decoded'],
  )
  const asOfAt = 1 + Buffer.byteLength(vector.playerId)
  let asOfEnd = asOfAt
  while ((body[asOfEnd] as number) >= 0x80) asOfEnd++
  const inAsOf = Buffer.concat([
    header,
    body.subarray(0, asOfAt),
    largest,
    body.subarray(asOfEnd + 1),
  ])
  assert.deepEqual(
    [decoder, views].map((d) => reasonOf(d.decode(inAsOf) as object)),
    ['undecodable', 'undecodable'],
  )
})

test('VectorDecoder - an array of a corrupted size ends', () => {
  const extra = { name: 'extra_nothings', type: { type: 'array', items: 'null' } }
  const fields = [...schema.fields.map(({ name, type }) => ({ name, type })), extra]
  const writer = typeOf({ type: 'record', name: 'churnstream.FeatureVector', fields })
  const { views } = decoders(writer)
  const body = writer.toBuffer({ ...makeVector(random(8)), extra_nothings: [] })
  const manyNothings = Buffer.from('feffffffffffff1f00', 'hex')
  const value = Buffer.concat([
    Buffer.from([0, 0, 0, 0, schemaId]),
    body.subarray(0, -1),
    manyNothings,
  ])
  assert.equal(reasonOf(viewOf(views, value)), 'decoded')
  assert.equal(reasonOf(views.decode(value.subarray(0, -1)) as object), 'undecodable')
})

test('Projection.of - columns that nothing fills are all named', () => {
  const names = ['bets_7d', 'shoe_size', 'market', 'colour_red']
  const problem = Projection.of(names.map((name) => ({ name })))
  assert.ok(problem instanceof ContractProblem)
  assert.match(problem.detail, /shoe_size, market, colour_red/)
})

test('Projection.of - the longest feature name that fits gives the level its feature', () => {
  const category = (name: string): Feature => ({ name, type: 'string', unit: '', meaning: '' })
  const features = [category('market'), category('market_region')]
  const columns = [{ name: 'market_region_eu' }, { name: 'market_gb' }]
  assert.deepEqual(
    columns.map((column) => fillingOf(column, features)),
    [
      { kind: 'one-hot', feature: 'market_region', level: 'eu' },
      { kind: 'one-hot', feature: 'market', level: 'gb' },
    ],
  )
})
