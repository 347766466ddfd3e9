// Does every record reach its leader once, whatever happens to leaders and connections?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { createSendMessages, type ProducingBroker, type SendRequest } from './send-messages.ts'
import { transactionManagers, type Internals } from './transaction-manager.ts'

const require = createRequire(import.meta.url)
const Encoder: Internals['Encoder'] = require('kafkajs/src/protocol/encoder.js')
const protocol: {
  errorCodes: { type: string; code: number }[]
  createErrorFromCode(code: number): Error
} = require('kafkajs/src/protocol/error.js')
const {
  KafkaJSConnectionClosedError,
}: {
  KafkaJSConnectionClosedError: new (message: string, at: object) => Error
} = require('kafkajs/src/errors.js')
const createRetry: (
  options: object,
) => Parameters<typeof createSendMessages>[0]['retrier'] = require('kafkajs/src/retry/index.js')
const stock = require('kafkajs/src/producer/sendMessages.js') as typeof createSendMessages

const errorOf = (type: string): Error => {
  const found = protocol.errorCodes.find((known) => known.type === type)
  assert.ok(found, `${type} is no error type of kafkajs`)
  return protocol.createErrorFromCode(found.code)
}
const closed = () => new KafkaJSConnectionClosedError('closed', { host: 'a', port: 1 })

type Produce = Parameters<ProducingBroker['produce']>[0]
interface Batch {
  readonly partition: number
  readonly firstSequence: number
  readonly values: string[]
}

/** Two brokers; each request to one is answered by the next of its script, or taken. */
async function createCluster(create: typeof createSendMessages = createSendMessages) {
  /** Leader of each partition. */
  const leaders = new Map([
    [0, 1],
    [1, 2],
  ])
  const scripts = new Map<number, ((batches: Batch[]) => Promise<void> | void)[]>()
  const asked: { nodeId: number; batches: Batch[] }[] = []
  /** By partition: a broker takes each sequence number once. */
  const logs = new Map<number, Map<number, string[]>>()

  async function produce(nodeId: number, { topicData }: Produce) {
    const batches = topicData.flatMap(({ partitions }) =>
      partitions.map(({ partition, firstSequence, messages }) => ({
        partition,
        firstSequence,
        values: (messages as unknown as { value: string }[]).map(({ value }) => value),
      })),
    )
    asked.push({ nodeId, batches })
    await scripts.get(nodeId)?.shift()?.(batches)
    write(batches)
    const partitions = batches.map(({ partition }) => ({
      partition,
      errorCode: 0,
      baseOffset: '0',
    }))
    return { topics: [{ topicName: 'out', partitions }] }
  }
  function write(batches: readonly Batch[]): void {
    for (const { partition, firstSequence, values } of batches) {
      const log = logs.get(partition) ?? new Map<number, string[]>()
      if (!log.has(firstSequence)) log.set(firstSequence, values)
      logs.set(partition, log)
    }
  }
  const brokers = [1, 2].map((nodeId) => ({
    nodeId,
    produce: (request: Produce) => produce(nodeId, request),
  }))
  const eosManager = transactionManagers({ Encoder })({
    logger: { debug() {} },
    cluster: {
      refreshMetadataIfNecessary: async () => undefined,
      findControllerBroker: async () => ({
        initProducerId: async () => ({ producerId: '1', producerEpoch: 0 }),
      }),
    } as unknown as Parameters<ReturnType<typeof transactionManagers>>[0]['cluster'],
    transactional: false,
  })
  await eosManager.initProducerId()
  // What the stock module asks for beside.
  Object.assign(eosManager, { acquireBrokerLock() {}, releaseBrokerLock() {} })
  const options = {
    logger: { error() {}, debug() {} },
    cluster: {
      addMultipleTargetTopics: async () => undefined,
      refreshMetadataIfNecessary: async () => undefined,
      refreshMetadata: async () => undefined,
      findTopicPartitionMetadata: () => [...leaders].map(([id, leader]) => ({ id, leader })),
      findLeaderForPartitions: (_: string, partitions: readonly (number | string)[]) => {
        const found: Record<string, number[]> = {}
        for (const partition of partitions.map(Number)) {
          const leader = leaders.get(partition)
          if (leader !== undefined) (found[leader] ??= []).push(partition)
        }
        return found
      },
      findBroker: async ({ nodeId }: { nodeId: string }) => brokers[Number(nodeId) - 1],
      removeBroker() {},
      isConnected: () => true,
      connect: async () => undefined,
    },
    partitioner: ({ message }: { message: { partition: number } }) => message.partition,
    eosManager,
    retrier: createRetry({ initialRetryTime: 1, maxRetryTime: 2, retries: 5 }),
  }
  const sendMessages = create(options as unknown as Parameters<typeof create>[0])
  const messages = (...values: [number, string][]) =>
    values.map(([partition, value]) => ({
      partition,
      value,
    })) as SendRequest['topicMessages'][number]['messages']
  return {
    leaders,
    scripts,
    asked,
    write,
    eosManager,
    /** Values by partition, in the order of their sequence numbers. */
    written: () =>
      [...logs]
        .sort(([a], [b]) => a - b)
        .map(([, log]) => [...log].sort(([a], [b]) => a - b).flatMap(([, values]) => values)),
    send: (...values: [number, string][]) =>
      sendMessages({ acks: -1, topicMessages: [{ topic: 'out', messages: messages(...values) }] }),
  }
}

/** The leader of partition 0 refuses because broker 2 leads it now, which has taken its own. */
async function leaderMoves(create?: typeof createSendMessages) {
  const cluster = await createCluster(create)
  cluster.scripts.set(1, [
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      cluster.leaders.set(0, 2)
      throw errorOf('NOT_LEADER_FOR_PARTITION')
    },
  ])
  await cluster.send([0, 'a'], [1, 'b'])
  return cluster
}

test('sendMessages - a partition that moves to a broker that has answered is sent there', async () => {
  const { written, asked } = await leaderMoves()
  assert.deepEqual(written(), [['a'], ['b']])
  // And what had been answered is not sent again.
  assert.deepEqual(asked.at(-1), {
    nodeId: 2,
    batches: [{ partition: 0, firstSequence: 0, values: ['a'] }],
  })
})

test('sendMessages - the stock module loses such a partition and says nothing', async () => {
  const { written } = await leaderMoves(stock)
  assert.deepEqual(written(), [['b']])
})

/** Broker 2 refuses at once, while broker 1 takes its time and then takes the records. */
async function oneIsSlow(create?: typeof createSendMessages) {
  const cluster = await createCluster(create)
  cluster.scripts.set(1, [() => new Promise((resolve) => setTimeout(resolve, 50))])
  cluster.scripts.set(2, [
    () => {
      throw errorOf('NOT_ENOUGH_REPLICAS')
    },
  ])
  await cluster.send([0, 'a'], [1, 'b'])
  await new Promise((resolve) => setTimeout(resolve, 80))
  return cluster
}

test('sendMessages - what is under way is not sent beside itself', async () => {
  const { written, asked } = await oneIsSlow()
  assert.deepEqual(written(), [['a'], ['b']])
  assert.equal(asked.filter(({ nodeId }) => nodeId === 1).length, 1)
})

test('sendMessages - the stock module writes it twice', async () => {
  const { written } = await oneIsSlow(stock)
  assert.deepEqual(written(), [['a', 'a'], ['b']])
})

test('sendMessages - after a lost answer the same records go out under the same numbers', async () => {
  const cluster = await createCluster()
  cluster.scripts.set(1, [
    (batches) => {
      cluster.write(batches)
      throw closed()
    },
  ])
  await cluster.send([0, 'a'])
  await cluster.send([0, 'b'])
  assert.deepEqual(cluster.written(), [['a', 'b']])
  assert.deepEqual(
    cluster.asked.map(({ batches }) => batches[0]?.firstSequence),
    [0, 0, 1],
  )
})

test('sendMessages - a partition of which nothing is known fails the send', async () => {
  const cluster = await createCluster()
  cluster.leaders.delete(0)
  await assert.rejects(cluster.send([0, 'a'], [1, 'b']), /nothing is known of out-0/)
})

test('sendMessages - what no repeat mends is not repeated, and its numbers are given back', async () => {
  const cluster = await createCluster()
  cluster.scripts.set(1, [
    () => {
      throw errorOf('TOPIC_AUTHORIZATION_FAILED')
    },
  ])
  await assert.rejects(cluster.send([0, 'a'], [1, 'b']), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  assert.equal(cluster.asked.filter(({ nodeId }) => nodeId === 1).length, 1)
  assert.equal(cluster.eosManager.getSequence('out', 0), 0)
  assert.equal(cluster.eosManager.getSequence('out', 1), 1)
})

test('sendMessages - sends of one producer go one after the other', async () => {
  const cluster = await createCluster()
  const order: string[] = []
  cluster.scripts.set(1, [
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      order.push('first')
    },
    () => void order.push('second'),
  ])
  await Promise.all([cluster.send([0, 'a']), cluster.send([0, 'b'])])
  assert.deepEqual(order, ['first', 'second'])
  assert.deepEqual(cluster.written(), [['a', 'b']])
})
