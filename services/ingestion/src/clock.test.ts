// Does every partition get its clock records?
import { Encoder, clockKind } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startClock } from './clock.ts'
import { createRig, decodeActivity, knownSchemaId, nowMs, quietLog } from './testing.ts'

const encoder = new Encoder('player-activity', knownSchemaId)

test('startClock - one record without a key for each partition, at once and again', async () => {
  await using rig = await createRig()
  const { partitions } = topics.playerActivity
  {
    await using clock = startClock({
      intervalMs: 10,
      writer: rig.writer,
      encoder,
      now: () => nowMs,
      metrics: rig.metrics,
      log: quietLog,
      onFatal: (error) => assert.fail(String(error)),
    })
    void clock
    while (rig.broker.sends.length < 2) await new Promise(setImmediate)
  }
  assert.equal((await rig.metrics.clockWritten.get()).values[0]?.value, nowMs / 1000)
  const [first] = rig.broker.sends
  assert.deepEqual(
    first?.map(({ key, partition }) => [key, partition]),
    Array.from({ length: partitions }, (_, partition) => [null, partition]),
  )
  const event = decodeActivity(first?.[0])
  assert.deepEqual(event, {
    eventId: `clock-${nowMs}`,
    kind: clockKind,
    playerId: '',
    occurredAt: nowMs,
    market: '',
    acquisitionSource: null,
    product: null,
    stake: null,
    payout: null,
    odds: null,
    inPlay: null,
    amount: null,
  })
})

test('startClock - an interval of 0 writes nothing', async () => {
  await using rig = await createRig()
  const { writer, metrics } = rig
  const options = { intervalMs: 0, writer, encoder, now: () => nowMs, metrics, log: quietLog }
  await startClock({ ...options, onFatal: (error) => assert.fail(String(error)) })[
    Symbol.asyncDispose
  ]()
  assert.equal(rig.broker.sends.length, 0)
})
