// Is an Avro file read as it was written, and written as a reader of its kind expects?
import type { Schema } from 'avsc'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAvroFile, readBlocks, writeAvroFile } from './avro-file.ts'

const schema = {
  type: 'record',
  name: 'entry',
  fields: [
    { name: 'id', type: ['null', 'long'], 'field-id': 1 },
    { name: 'name', type: 'string', 'field-id': 2 },
  ],
} as unknown as Schema
const metadata = { 'format-version': Buffer.from('2') }

test('writeAvroFile - every bit of a long, and attributes that Avro does not know', () => {
  const records = [
    { id: 9_223_372_036_854_775_807n, name: 'last' },
    { id: -9_223_372_036_854_775_808n, name: 'first' },
    { id: null, name: 'ada' },
  ]
  const file = writeAvroFile({ schema, metadata, records })
  const read = readAvroFile<object>(file)
  assert.deepEqual(
    read.records.map((record) => ({ ...record })),
    records,
  )
  assert.deepEqual([read.schema, read.metadata], [schema, metadata])
  assert.ok(readBlocks(file).blocks.some(({ bytes }) => bytes.includes('ada')))
})

test('readAvroFile - what is none, or half of one, is refused', () => {
  const file = writeAvroFile({ schema, metadata, records: [{ id: 1n, name: 'ada' }] })
  assert.throws(() => readAvroFile(Buffer.from('PAR1 and more')), /no file of Avro/)
  assert.throws(() => readAvroFile(file.subarray(0, -20)), /ends in the middle/)
})
