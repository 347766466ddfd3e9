// How much does the features service put in one transaction?
import { createMetrics, type Received } from '@churnstream/runtime'
import { Encoder, clockKind, type PlayerActivity, type Schemas } from '@churnstream/schemas'
import { fixedSchemas } from '@churnstream/schemas/testing'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { playersPerClock } from './core/partition.ts'
import { activity, bet } from './core/testing.ts'
import { createFeatureMetrics } from './metrics.ts'
import { createFeatureProcessor } from './processor.ts'

const encoders = {
  vector: new Encoder('feature-vector', 2),
  outcome: new Encoder('player-outcome', 3),
  state: new Encoder('player-state', 4),
  confirmation: new Encoder('privacy-confirmation', 5),
}

test('process - clock records that waited together do not all go in one transaction', async () => {
  const processor = createFeatureProcessor(encoders, fixedSchemas({}) as Schemas)
  const { state } = processor
  await state?.restore(0, (async function* () {})())
  let offset = 0n
  const received = (value: PlayerActivity): Received<PlayerActivity> => ({
    offset: offset++,
    timestampMs: 0,
    key: null,
    value,
  })
  const count = 2 * playersPerClock + 1
  const bets = Array.from({ length: count }, (_, i) => bet(0, { playerId: `player-${i}` }))
  for (let start = 0; start < count; start += 1_000) {
    const chunk = bets.slice(start, start + 1_000).map(received)
    assert.equal((await processor.process(0, chunk)).length, chunk.length)
  }
  state?.changes(0)
  let waiting = Array.from({ length: 60 }, (_, i) =>
    received(activity(clockKind, 1 + i / 1_440, { playerId: '', market: '' })),
  )
  const transactions: [records: number, vectors: number, states: number][] = []
  while (waiting.length > 0) {
    const outcomes = await processor.process(0, waiting)
    waiting = waiting.slice(outcomes.length)
    const vectors = outcomes.flatMap((outcome) => (outcome.kind === 'emit' ? outcome.records : []))
    transactions.push([outcomes.length, vectors.length, state?.changes(0).length ?? 0])
  }
  assert.deepEqual(transactions, [
    [1, playersPerClock, playersPerClock],
    [1, playersPerClock, playersPerClock],
    [58, 1, 1],
  ])
})

test('clockLate - says how long the first has been due whom a clock record left over', async () => {
  const { registry } = createMetrics('test')
  const metrics = createFeatureMetrics({ registry })
  const options = { playersPerClock: 1, metrics }
  const processor = createFeatureProcessor(encoders, fixedSchemas({}) as Schemas, options)
  await processor.state?.restore(0, (async function* () {})())
  const hour = 1 / 24
  const values = [
    bet(0, { playerId: 'first' }),
    bet(hour, { playerId: 'second' }),
    activity(clockKind, 1 + 4 * hour, { playerId: '', market: '' }),
    activity(clockKind, 1 + 5 * hour, { playerId: '', market: '' }),
  ]
  const seen: (number | undefined)[] = []
  for (const [offset, value] of values.entries()) {
    await processor.process(0, [{ offset: BigInt(offset), timestampMs: 0, key: null, value }])
    seen.push((await metrics.clockLate.get()).values[0]?.value)
  }
  assert.deepEqual(seen, [undefined, undefined, 3 * 3_600, 0])
  processor.state?.release(0)
  assert.deepEqual((await metrics.clockLate.get()).values, [])
})
