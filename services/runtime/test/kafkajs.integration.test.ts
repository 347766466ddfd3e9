// Does kafkajs, with our replacements, keep the contract of the Kafka port on a real broker?
import { startStack } from '@churnstream/topology/local'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { FatalError, TransientError, messageOf } from '../src/errors.ts'
import { createKafkajsKafka } from '../src/kafkajs/adapter.ts'
import { loadKafkajs } from '../src/kafkajs/install.ts'
import { kafkaContract, until } from '../src/kafka.contract.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-kafkajs-'))
const log = pino({ level: process.env['LOG_LEVEL'] ?? 'fatal' })
let stack: Awaited<ReturnType<typeof startStack>>
let kafka: ReturnType<typeof createKafkajsKafka>

before(async () => {
  stack = await startStack({ dataDir, ports: 'free', parts: ['kafka'] })
  kafka = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'contract', log })
})
after(async () => {
  await kafka.close()
  await stack[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

kafkaContract('kafkajs', async () => ({
  kafka,
  async begin(id, records) {
    const { Kafka, logLevel } = loadKafkajs()
    const client = new Kafka({
      brokers: stack.kafka.brokers,
      clientId: 'contract',
      logLevel: logLevel.NOTHING,
    })
    const producer = client.producer({ transactionalId: id, maxInFlightRequests: 1 })
    await producer.connect()
    const transaction = await producer.transaction()
    for (const { topic, partition, key, value } of records) {
      await transaction.send({ topic, messages: [{ key, value, partition }] })
    }
    const end = async (how: () => Promise<void>): Promise<void> => {
      await how()
      await producer.disconnect()
    }
    return {
      commit: () => end(() => transaction.commit()),
      abort: () => end(() => transaction.abort()),
    }
  },
}))

test('kafkajs - a group whose next record retention took ends and says so, and moves nothing', async () => {
  const topic = 'taken-by-retention'
  await kafka.ensureTopics([{ name: topic, partitions: 1, config: {} }])
  const producer = await kafka.openProducer()
  const records = ['a', 'b', 'c'].map((text) => ({
    topic,
    partition: 0,
    key: null,
    value: Buffer.from(text),
  }))
  await producer.send(records)
  await producer.close()
  const offset = { groupId: topic, topic, partition: 0, next: 1n }
  const writer = await kafka.openTransactional(topic, { partitions: [], groupId: topic })
  await writer.commit({ records: [], offsets: [offset] })
  await writer.close()
  const { Kafka, logLevel } = loadKafkajs()
  const client = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  // Loads the topic's leaders, which the next call does not.
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
  await admin.disconnect()

  const seen: bigint[] = []
  const consumer = await kafka.consume({
    groupId: topic,
    topic,
    onAssigned: () => undefined,
    onBatch: async (batch) => void seen.push(batch.fetchedOffset),
  })
  let isOver = false
  const over = consumer.finished.finally(() => (isOver = true))
  const committed = () => kafka.committedOffset(topic, topic, 0)
  const moved = until('the end', async () => isOver || (await committed()) !== 1n)
  await assert.rejects(Promise.race([over, moved]), (error) => {
    assert.ok(error instanceof FatalError)
    assert.match(messageOf(error), /taken-by-retention-0 is gone.*--reset-offsets/)
    return true
  })
  assert.deepEqual(seen, [])
  assert.equal(await committed(), 1n)
  await moved
})

test('kafkajs - with the broker away every call is trouble of the world, never a bug', async () => {
  const away = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'away', log })
  await stack.servers.kafka.stop()
  const calls: [string, () => Promise<unknown>][] = [
    ['openProducer', () => away.openProducer()],
    ['openTransactional', () => away.openTransactional('away', { partitions: [] })],
    ['committedOffset', () => away.committedOffset('away', 'away', 0)],
    ['firstOffsets', () => away.firstOffsets('away')],
    ['endOffsets', () => away.endOffsets('away')],
    ['read', () => Array.fromAsync(away.read('away', 0))],
    ['ensureTopics', () => away.ensureTopics([{ name: 'away', partitions: 1, config: {} }])],
  ]
  await Promise.all(
    calls.map(([name, call]) => assert.rejects(call(), (error) => isTrouble(error), name)),
  )
  await stack.servers.kafka.start()
  await away.close()
})

const isTrouble = (error: unknown): boolean => error instanceof TransientError
