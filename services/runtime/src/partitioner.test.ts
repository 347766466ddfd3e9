// Do we agree with Kafka's own producers about where a key belongs?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { murmur2, partitionOf } from './partitioner.ts'

// Vectors of Kafka's UtilsTest.testMurmur2.
const vectors: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test('murmur2 - equals Kafka’s own test vectors', () => {
  for (const [text, hash] of vectors) assert.equal(murmur2(Buffer.from(text)), hash, text)
})

test('partitionOf - equals the client’s default partitioner', () => {
  const require = createRequire(import.meta.url)
  const stock = require('kafkajs/src/producer/partitioners/default/murmur2.js') as (
    key: Buffer,
  ) => number
  for (let i = 0; i < 2_000; i++) {
    const key = `player-${i * 7919}é`
    assert.equal(partitionOf(key, 8), (stock(Buffer.from(key)) & 0x7fffffff) % 8)
  }
})
