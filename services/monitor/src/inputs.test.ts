// Is a share of the players watched, and each of them whole?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWatched } from './inputs.ts'

const keys = Array.from({ length: 20_000 }, (_, index) => Buffer.from(`player-${index}`))

test('isWatched - as many players as the share says, and the same ones in a larger share', () => {
  const tenth = keys.filter((key) => isWatched(key, 0.1))
  assert.ok(Math.abs(tenth.length - 2_000) < 150, `${tenth.length} of 20,000`)
  assert.ok(tenth.every((key) => isWatched(key, 0.2)))
  assert.ok(keys.every((key) => isWatched(key, 1)))
})

test('isWatched - a record without a key is looked at', () => {
  assert.ok(isWatched(null, 0.01))
})
