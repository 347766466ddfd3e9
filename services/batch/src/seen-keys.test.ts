import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeenKeys } from './seen-keys.ts'

test('SeenKeys - each key is new once, however many there are', () => {
  const seen = new SeenKeys()
  const keys = Array.from({ length: 20_000 }, (_, n) => `player-${n}`)
  assert.ok(keys.every((key) => seen.add(key)))
  assert.ok(keys.every((key) => !seen.add(key)))
  assert.ok(seen.add('another'))
})
