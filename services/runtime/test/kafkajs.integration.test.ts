// Does kafkajs, with our replacements, keep the contract of the Kafka port on a real broker?
import { startStack } from '@churnstream/topology/local'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { TransientError } from '../src/errors.ts'
import { createKafkajsKafka } from '../src/kafkajs/adapter.ts'
import { loadKafkajs } from '../src/kafkajs/install.ts'
import { kafkaContract } from '../src/kafka.contract.ts'

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
  async abort(id, records) {
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
    await transaction.abort()
    await producer.disconnect()
  },
}))

test('kafkajs - with the broker away every call is trouble of the world, never a bug', async () => {
  const away = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'away', log })
  await stack.servers.kafka.stop()
  const calls: [string, () => Promise<unknown>][] = [
    ['openProducer', () => away.openProducer()],
    ['openTransactional', () => away.openTransactional('away', { partitions: [] })],
    ['committedOffset', () => away.committedOffset('away', 'away', 0)],
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
