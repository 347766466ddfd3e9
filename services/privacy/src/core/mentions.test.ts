// Is a player found wherever they are named, and nobody else for them?
import { Encoder } from '@churnstream/schemas'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMentions } from './mentions.ts'

const encoder = new Encoder('player-outcome', 1)
const outcomeOf = (playerId: string): Buffer =>
  encoder.encode({
    playerId,
    market: 'gb',
    asOfDay: 20_000,
    churned: false,
    horizonDays: 28,
    knownAt: 1,
    causeEventId: 'e-1',
    causeTopic: 'player-activity',
    causePartition: 0,
    causeOffset: 1,
  })

test('createMentions - in keys, in Avro, in JSON and in CSV', () => {
  for (const playerId of ['p-1', 'Åsa', 'x'.repeat(64), 'y'.repeat(200)]) {
    const mentions = createMentions(playerId)
    const places = [playerId, `20000 ${playerId}`, `{"playerId":"${playerId}"}`, `1,${playerId}\n`]
    for (const text of places) assert.ok(mentions(Buffer.from(text)), text)
    assert.ok(mentions(outcomeOf(playerId)), playerId)
  }
})

test('createMentions - not in a longer name', () => {
  const mentions = createMentions('p-1')
  for (const text of ['p-10', 'xp-1', '"p-1x"', '20000 p-12']) {
    assert.ok(!mentions(Buffer.from(text)), text)
  }
  assert.ok(!mentions(outcomeOf('p-10')))
  assert.ok(!mentions(outcomeOf('ap-1')))
})
