// Is a share of the players watched, and each of them whole?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topics } from '@churnstream/topology'
import { isWatched, watchedPartitions } from './inputs.ts'

const keys = Array.from({ length: 20_000 }, (_, index) => Buffer.from(`player-${index}`))
const { partitions } = topics.churnScores
const watched = (share: number) =>
  new Set(
    keys.flatMap((key, index) =>
      isWatched(key, index % partitions, share) ? [key.toString()] : [],
    ),
  )

test('isWatched - as many players as the share says, and the same ones in a larger share', () => {
  for (const share of [0.05, 0.1, 0.125, 0.3]) {
    const some = watched(share)
    assert.ok(Math.abs(some.size - share * keys.length) < 200, `${some.size} for ${share}`)
    assert.ok(some.isSubsetOf(watched(share + 0.1)))
  }
  assert.equal(watched(1).size, keys.length)
})

test('watchedPartitions - those behind them hold nobody who is watched', () => {
  assert.deepEqual([0.01, 0.125, 0.3, 1].map(watchedPartitions), [1, 1, 3, 8])
  for (const share of [0.05, 0.125, 0.3]) {
    for (let at = watchedPartitions(share); at < partitions; at++) {
      assert.ok(!keys.some((key) => isWatched(key, at, share)))
    }
  }
})

test('isWatched - a record without a key is looked at', () => {
  assert.ok(isWatched(null, 0, 0.01))
})
