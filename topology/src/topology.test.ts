// Does the topology hold what its types cannot say?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  backfillScores,
  clusterTopics,
  deadLetterTopic,
  fused,
  services,
  topics,
  warehousePort,
  type Service,
  type Topic,
} from './index.ts'

const allServices: Service[] = Object.values(services)
const serviceTopics: Topic[] = Object.values(topics)
const allTopics: Topic[] = [...serviceTopics, backfillScores]

test('topics - a service reads and writes its player-keyed topics co-partitioned', () => {
  for (const { name, consumes, produces, state } of allServices) {
    const keyed = [...consumes, ...produces, ...state].filter(({ key }) => key === 'playerId')
    assert.ok(new Set(keyed.map(({ partitions }) => partitions)).size <= 1, name)
  }
})

test('topics - every consumed topic has a dead-letter topic of as many partitions', () => {
  const cluster = new Map(clusterTopics().map((topic) => [topic.name, topic]))
  for (const topic of allServices.flatMap(({ consumes }) => consumes)) {
    assert.equal(cluster.get(deadLetterTopic(topic))?.partitions, topic.partitions, topic.name)
  }
})

test('topics - every topic is written by somebody, and read or says why not', () => {
  for (const topic of serviceTopics) {
    const has = (of: (service: Service) => readonly Topic[]) =>
      allServices.some((service) => of(service).includes(topic))
    const isWritten = has(({ produces, state }) => [...produces, ...state])
    assert.ok(isWritten || topic.writtenByCommand, `${topic.name} has no writer`)
    const isRead = has(({ consumes, follows, looksUp = [], state }) => [
      ...consumes,
      ...follows,
      ...looksUp,
      ...state,
    ])
    assert.ok(isRead || topic.unreadBecause, `${topic.name} has no reader and does not say why`)
  }
})

test('topics - a retention is given exactly where age deletes', () => {
  for (const { name, cleanup, retentionMs } of allTopics) {
    assert.equal(retentionMs === null, cleanup === 'compact', name)
  }
})

test('topics - names are lower case with hyphens, so that metric names never collide', () => {
  for (const { name } of allTopics) assert.match(name, /^[a-z]+(-[a-z]+)*$/)
})

test('services - names and ports are unique', () => {
  assert.equal(new Set(allServices.map(({ name }) => name)).size, allServices.length)
  const own = allServices.filter(({ within }) => within === undefined)
  const ports = [...own, fused].map(({ port }) => port)
  assert.equal(new Set([...ports, warehousePort]).size, ports.length + 1)
  for (const { name, port, within } of allServices) {
    const host = own.find((service) => service.name === (within ?? name))
    assert.equal(port, host?.port, name)
  }
})

test('fused - the second service reads what the first writes, in the same partition', () => {
  const [between] = fused.second.consumes
  assert.equal(fused.second.consumes.length, 1)
  assert.ok(fused.first.produces.some(({ name }) => name === between.name))
  assert.equal(between.key, fused.first.consumes[0].key)
})
