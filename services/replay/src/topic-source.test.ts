// Does a replay leave out what erased players did in a former life?
import { activity, bet } from '@churnstream/features/testing'
import { MemoryCluster } from '@churnstream/runtime/testing'
import { partitionOf } from '@churnstream/runtime'
import { Encoder, clockKind, type Schemas } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import { clusterTopics, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Poison } from './core/step.ts'
import { activityId, sendActivity } from './testing.ts'
import { noteTopic, openTopicSource } from './topic-source.ts'

const confirmationId = 3
const schemas = fixedSchemas({
  [activityId]: 'player-activity',
  [confirmationId]: 'privacy-confirmation',
}) as Schemas

test('openTopicSource - nothing of an erased life is read, and all of the next one', async () => {
  const cluster = new MemoryCluster()
  const kafka = cluster.open()
  await kafka.ensureTopics(clusterTopics())
  await sendActivity(cluster, [
    bet(1, { eventId: 'a-0' }),
    activity(clockKind, 2, { playerId: '', eventId: 'c-1' }),
    bet(3, { eventId: 'a-2' }),
    bet(4, { eventId: 'a-3' }),
  ])
  const producer = await kafka.openProducer()
  const partition = partitionOf('ada', topics.playerActivity.partitions)
  const encoder = new Encoder('privacy-confirmation', confirmationId)
  const confirmation = {
    requestId: 'r-1',
    playerId: 'ada',
    place: topics.playerState.name,
    erased: 1,
    fromOffset: 1,
    untilOffset: 3,
  }
  const { name: topic } = topics.privacyConfirmations
  await producer.send([{ topic, partition, key: 'ada', value: encoder.encode(confirmation) }])
  const source = openTopicSource(kafka, schemas, await noteTopic(kafka))
  const read: [number, string][] = []
  for await (const steps of source.read(partition)) {
    for (const { offset, input } of steps) {
      assert.ok(!(input instanceof Poison))
      read.push([offset, input.eventId])
    }
  }
  assert.deepEqual(read, [
    [1, 'c-1'],
    [3, 'a-3'],
  ])
})
