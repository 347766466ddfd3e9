import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest, scaledOut, sharesOf, toStage } from './scaled-out.ts'

/** 1,000 records in 0.1 s: 10,000 a second; alone, a partition waits as long again: 5,000. */
const features = {
  name: 'features',
  recordsPerChunk: 1000,
  chunkSeconds: 0.1,
  waitSeconds: 0.1,
}
/** Twice as fast, and nothing to wait for. */
const scorer = { name: 'scorer', recordsPerChunk: 1000, chunkSeconds: 0.05, waitSeconds: 0 }
const even = (partitions: number) => Array.from({ length: partitions }, () => 1 / partitions)
const brokerOf = (cores: number) => ({ name: 'broker', cores, secondsPerEvent: 25e-6 })

test('scaledOut - one replica takes what was measured', () => {
  const measured = { ofOneReplica: 12_345, ofOnePartition: 4_321 }
  const stage = toStage('scorer', 700, measured)
  const { eventsPerSecond, full, busy } = scaledOut([stage], even(8), 1, [])
  assert.ok(Math.abs(eventsPerSecond - 12_345) < 1e-6)
  assert.equal(full, 'scorer')
  assert.equal(busy.scorer, 1)
})

test('scaledOut - replicas double the rate until each has one partition, which waits', () => {
  const rates = [1, 2, 4, 8].map((replicas) => scaledOut([features], even(8), replicas, []))
  assert.deepEqual(
    rates.map(({ eventsPerSecond }) => Math.round(eventsPerSecond)),
    [10_000, 20_000, 40_000, 40_000],
  )
  assert.equal(rates[3]?.full, 'a partition of features')
  assert.equal(rates[3]?.busy.features, 0.5)
})

test('scaledOut - replicas beyond the partitions are idle', () => {
  const all = scaledOut([scorer], even(8), 8, [])
  const more = scaledOut([scorer], even(8), 64, [])
  assert.equal(more.eventsPerSecond, all.eventsPerSecond)
  assert.equal(more.workingReplicas, 8)
  assert.equal(Math.round(scaledOut([scorer], even(64), 64, []).eventsPerSecond), 64 * 20_000)
})

test('scaledOut - three replicas over eight partitions are as fast as the one that has three', () => {
  const { eventsPerSecond } = scaledOut([scorer], even(8), 3, [])
  assert.equal(Math.round(eventsPerSecond), Math.round((20_000 * 8) / 3))
})

test('scaledOut - the broker lets through what its cores do', () => {
  const { eventsPerSecond, full, busy } = scaledOut([features, scorer], even(64), 64, [brokerOf(4)])
  assert.equal(Math.round(eventsPerSecond), 160_000)
  assert.equal(full, 'broker')
  assert.equal(busy.broker, 1)
  assert.equal(busy.features?.toFixed(3), (160_000 / 640_000).toFixed(3))
  const twice = scaledOut([features, scorer], even(64), 64, [brokerOf(8)])
  assert.equal(Math.round(twice.eventsPerSecond), 320_000)
})

test('scaledOut - of two services the slower one is full, and the other as busy as it must be', () => {
  const { full, busy } = scaledOut([features, scorer], even(8), 2, [brokerOf(100)])
  assert.equal(full, 'features')
  assert.deepEqual([busy.features, busy.scorer], [1, 0.5])
})

test('scaledOut - a partition with a third of the events holds the others up', () => {
  const shares = [1 / 3, ...Array.from({ length: 7 }, () => 2 / 21)]
  const { eventsPerSecond, full } = scaledOut([scorer], shares, 8, [])
  assert.equal(Math.round(eventsPerSecond), 60_000)
  assert.equal(full, 'scorer')
})

test('toStage - a partition that is as fast alone waits for nothing', () => {
  const stage = toStage('scorer', 500, { ofOneReplica: 10_000, ofOnePartition: 11_000 })
  assert.deepEqual([stage.chunkSeconds, stage.waitSeconds], [0.05, 0])
})

test('nearest - is what was measured with as many partitions a replica', () => {
  const measured = [1, 2, 4, 8].map((replicas) => ({ partitions: 8, replicas }))
  const of = (partitions: number, replicas: number) =>
    nearest(measured, { partitions, replicas }).replicas
  assert.deepEqual([of(8, 1), of(8, 2), of(8, 8), of(8, 64)], [1, 2, 8, 8])
  assert.deepEqual([of(64, 1), of(64, 8), of(64, 16), of(64, 64)], [1, 1, 2, 8])
  assert.deepEqual([of(12, 8), of(12, 4)], [4, 2])
})

test('sharesOf - counts, and a partition without events has none', () => {
  assert.deepEqual(sharesOf([0, 2, 2, 0], 3), [0.5, 0, 0.5])
})
