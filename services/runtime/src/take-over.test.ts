// Can anybody but who took a partition over last write for it?
import { deadLetterTopic, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransientError } from './errors.ts'
import { MemoryCluster } from './memory-kafka.ts'
import type { Kafka } from './kafka.ts'
import { createFence, reachOf, takeOver } from './take-over.ts'

const service = services.features
const topic = topics.playerActivity
const alongside = [topics.privacyRequests]
const reach = { partitions: [] }

async function openKafka(): Promise<Kafka> {
  const kafka = new MemoryCluster().open()
  for (const { name } of [topic, ...alongside]) {
    await kafka.ensureTopics([{ name, partitions: 2, config: {} }])
  }
  return kafka
}

const offset = (next: bigint, metadata?: string, name = topic.name) => ({
  groupId: service.name,
  topic: name,
  partition: 0,
  next,
  ...(metadata === undefined ? {} : { metadata }),
})

const over = (kafka: Kafka, carrierId?: string) =>
  takeOver({
    kafka,
    service,
    topic,
    alongside,
    partition: 0,
    fence: createFence(kafka, reach),
    ...(carrierId === undefined ? {} : { carrierId }),
  })

test('reachOf - a lane writes to its like, to its dead letters, and where all gather', () => {
  const gathered = { ...topics.registryEvents, name: 'gathered', isGathered: true } as const
  const produces = [topics.featureVectors, topics.loadReports, gathered]
  const { partitions: reached } = reachOf({ ...service, produces }, topic, 3, [topics.churnScores])
  assert.deepEqual(
    reached.map(({ topic, partition }) => `${topic}-${partition}`),
    [
      'feature-vectors-3',
      'player-state-3',
      `${deadLetterTopic(topic)}-3`,
      'churn-scores.dlq-3',
      'gathered-0',
    ],
  )
})

test('takeOver - fences the former producer, and the carrier it named, of whichever topic', async () => {
  for (const name of [topic.name, topics.privacyRequests.name]) {
    const kafka = await openKafka()
    const carrier = await kafka.openTransactional('carrier-a', reach)
    const former = await over(kafka, 'carrier-a')
    await former.producer.commit({ records: [], offsets: [offset(3n, 'carrier-a', name)] })
    await carrier.commit({ records: [], offsets: [offset(4n, 'carrier-a', name)] })
    const { next, isNamed } = await over(kafka, 'carrier-b')
    assert.equal(next.get(name), 4n)
    assert.equal(isNamed, false)
    const zombie = { records: [], offsets: [offset(9n, 'carrier-a', name)] }
    await assert.rejects(carrier.commit(zombie), TransientError)
    await assert.rejects(former.producer.commit(zombie), TransientError)
    assert.equal(await kafka.committedOffset(service.name, name, 0), 4n)
  }
})

test('takeOver - the own carrier is not fenced, and may write at once', async () => {
  const kafka = await openKafka()
  const carrier = await kafka.openTransactional('carrier-a', reach)
  const first = await over(kafka, 'carrier-a')
  assert.equal(first.isNamed, false)
  await first.producer.commit({ records: [], offsets: [offset(1n, 'carrier-a')] })
  const again = await over(kafka, 'carrier-a')
  assert.equal(again.isNamed, true)
  await carrier.commit({ records: [], offsets: [offset(2n, 'carrier-a')] })
  assert.equal(await kafka.committedOffset(service.name, topic.name, 0), 2n)
})

test('fence - a call shares a fencing only if it has not begun', async () => {
  const opened: PromiseWithResolvers<void>[] = []
  const kafka = {
    ...(await openKafka()),
    async openTransactional() {
      const turn = Promise.withResolvers<void>()
      opened.push(turn)
      await turn.promise
      return { commit: async () => undefined, close: async () => undefined }
    },
  }
  const fence = createFence(kafka, reach)
  const first = fence('c')
  const later = [fence('c'), fence('c')]
  assert.equal(opened.length, 1)
  opened[0]?.reject(new TransientError('fenced by another'))
  await assert.rejects(first, TransientError)
  while (opened.length < 2) await Promise.resolve()
  const last = fence('c')
  opened[1]?.resolve()
  await Promise.all(later)
  while (opened.length < 3) await Promise.resolve()
  opened[2]?.resolve()
  await last
  assert.equal(opened.length, 3)
})
