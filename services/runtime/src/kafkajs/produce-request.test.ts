// Is our produce request the stock one, byte by byte?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { createProduceRequest } from './produce-request.ts'

/** kafkajs' own modules: nothing in this process replaces them. */
const require = createRequire(import.meta.url)
const stock = require('kafkajs/src/protocol/requests/produce/v3/request.js')
const ours = createProduceRequest({ Encoder: require('kafkajs/src/protocol/encoder.js') })

test('createProduceRequest - the bytes are those of the stock request', async () => {
  const message = (partition: number, size: number) => ({
    topic: 'in',
    partition,
    key: 'ada',
    value: Buffer.alloc(size, 1),
    // With one for each the clock has no say.
    timestampMs: 1_790_000_000_000 + size,
  })
  const topicData = ['in', 'out'].map((topic, index) => ({
    topic,
    partitions: [0, 3].map((partition) => ({
      partition,
      firstSequence: 10 * index + partition,
      messages: [1, 70_000, 2].map((size) => message(partition, size)),
    })),
  }))
  const request = { acks: -1, timeout: 30_000, producerId: '77', producerEpoch: 3, topicData }
  const stockData = topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((one) => ({
      ...one,
      messages: one.messages.map((each) => ({ ...each, timestamp: String(each.timestampMs) })),
    })),
  }))
  const { producerId: _, producerEpoch: __, ...anonymous } = request
  const plain = (await ours(anonymous).encode()) as unknown as { buffer: Buffer }
  assert.deepEqual(
    plain.buffer,
    (await stock({ ...anonymous, topicData: stockData }).encode()).buffer,
  )
  for (const transactionalId of [null, 'churnstream.scorer']) {
    const { buffer } = (await ours({ ...request, transactionalId }).encode()) as unknown as {
      buffer: Buffer
    }
    const expected = await stock({ ...request, topicData: stockData, transactionalId }).encode()
    assert.deepEqual(buffer, expected.buffer)
  }
})
