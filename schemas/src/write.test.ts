// Are the bytes those of avsc, for every schema and every value?
import type avro from 'avsc'
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Encoder, headerBytes, typeOf } from './codec.ts'
import { recordNames, schemaText } from './records.ts'
import { Slab, writerOf } from './write.ts'

const long = fc.oneof(
  fc.integer({ min: -200, max: 200 }),
  fc.integer(),
  fc.constantFrom(2 ** 30 - 1, 2 ** 30, -(2 ** 30), -(2 ** 30) - 1, 2 ** 52, -(2 ** 52)),
  fc.maxSafeInteger().filter((value) => Math.abs(value) <= 2 ** 53 - 2),
)
const string = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom('', 'Åsa', 'x'.repeat(63), 'x'.repeat(64), `${'x'.repeat(62)}é`),
)

/** Values of a type, as our records have them. */
function valuesOf(type: avro.Type): fc.Arbitrary<unknown> {
  switch (type.typeName) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'long':
      return long
    case 'float':
      return fc.float()
    case 'double':
      return fc.double()
    case 'string':
      return string
    case 'bytes':
      return fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))
    case 'array':
      return fc.array(valuesOf((type as avro.types.ArrayType).itemsType), { maxLength: 5 })
    case 'record': {
      const { fields } = type as avro.types.RecordType
      return fc.record(Object.fromEntries(fields.map((one) => [one.name, valuesOf(one.type)])))
    }
    default:
      return fc.oneof(...(type as avro.types.UnwrappedUnionType).types.map(valuesOf))
  }
}

for (const name of recordNames) {
  test(`Encoder - ${name} is written as avsc writes it`, () => {
    const type = typeOf(schemaText(name))
    const encoder = new Encoder(name, 1)
    const property = fc.property(valuesOf(type), (value) => {
      const body = encoder.encode(value as never).subarray(headerBytes)
      assert.deepEqual(body, type.toBuffer(value))
    })
    fc.assert(property, { seed: 1, numRuns: 200 })
  })
}

test('Encoder - what does not fit is named with its place', () => {
  const encoder = new Encoder('player-outcome', 1)
  const outcome = { playerId: 'ada', market: 'us-nj', asOfDay: 1.5 } as never
  assert.throws(() => encoder.encode(outcome), /asOfDay|1\.5/)
})

test('writerOf - a schema with something new is refused before a record is written', () => {
  const type = typeOf({
    type: 'record',
    name: 'New',
    fields: [{ name: 'by', type: { type: 'map', values: 'int' } }],
  })
  assert.throws(() => writerOf(type), /no record is written with map yet/)
})

test('Slab - a value that was begun and not taken leaves nothing', () => {
  const slab = new Slab()
  slab.begin()
  slab.string('left')
  slab.begin()
  slab.int(1)
  assert.deepEqual([...slab.take()], [2])
})
