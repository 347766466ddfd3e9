// Does the writer share sends without mixing up what belongs to whom?
import { TransientError, type OutgoingRecord } from '@churnstream/runtime'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRig } from './testing.ts'

const record = (partition: number, key: string): OutgoingRecord => ({
  topic: 'any',
  partition,
  key,
  value: null,
})
const turn = () => new Promise(setImmediate)

test('write - what is queued during a send shares the next one, each with its own places', async () => {
  await using rig = await createRig()
  rig.broker.hold()
  const first = rig.writer.write([record(0, 'a')])
  await turn()
  const second = rig.writer.write([record(1, 'b'), record(0, 'c')])
  const third = rig.writer.write([record(0, 'd')])
  const fourth = rig.writer.write([record(1, 'e'), record(1, 'f')])
  rig.broker.release()
  const places = await Promise.all([first, second, third, fourth])
  assert.deepEqual(
    rig.broker.sends.map((send) => send.map(({ key }) => key)),
    [['a'], ['b', 'c', 'd', 'e', 'f']],
  )
  assert.deepEqual(
    places.map((placed) => placed.map(({ partition, offset }) => `${partition}@${offset}`)),
    [['0@0'], ['1@0', '0@1'], ['0@2'], ['1@1', '1@2']],
  )
})

test('write - a send takes whole requests up to its limit', async () => {
  await using rig = await createRig({ maxPerSend: 3 })
  rig.broker.hold()
  const writes = [1, 2, 2, 4, 1].map((count) =>
    rig.writer.write(Array.from({ length: count }, () => record(0, 'k'))),
  )
  await turn()
  rig.broker.release()
  await Promise.all(writes)
  assert.deepEqual(
    rig.broker.sends.map((send) => send.length),
    [3, 2, 4, 1],
  )
})

test('write - only the callers of the failed send hear of it; the others wait for a new producer', async () => {
  await using rig = await createRig()
  rig.broker.hold()
  const failing = rig.writer.write([record(0, 'a')])
  await turn()
  const waiting = rig.writer.write([record(0, 'b')])
  rig.broker.sendError = new TransientError('sending')
  failing.catch(() => (rig.broker.sendError = undefined))
  rig.broker.release()
  await assert.rejects(failing, /outcome is unknown/)
  assert.equal((await waiting).length, 1)
  assert.equal(rig.broker.opened, 2)
  assert.equal(rig.broker.closed, 1)
})

test('write - when no new producer opens, those that wait are refused and readiness says why', async () => {
  await using rig = await createRig()
  rig.broker.hold()
  const failing = rig.writer.write([record(0, 'a')])
  await turn()
  const waiting = rig.writer.write([record(0, 'b')])
  rig.broker.sendError = new TransientError('sending')
  rig.broker.openError = new TransientError('no broker')
  rig.broker.release()
  await assert.rejects(failing, /outcome is unknown/)
  await assert.rejects(waiting, /nothing was written/)
  assert.equal(rig.health.state.ready, false)
  assert.equal(rig.writer.refusal()?.reason, 'kafka-away')
  assert.match(String(rig.health.state.waiting['producer']), /no broker/)
  rig.broker.sendError = undefined
  rig.broker.openError = undefined
  while (rig.writer.refusal()) await turn()
  assert.equal(rig.health.state.ready, true)
  assert.equal((await rig.writer.write([record(0, 'c')])).length, 1)
})

test('write - a send that takes too long counts as failed', async () => {
  await using rig = await createRig({ sendTimeoutMs: 20 })
  rig.broker.hold()
  await assert.rejects(rig.writer.write([record(0, 'a')]), /outcome is unknown/)
})

test('write - an error that no retry mends reaches the caller and ends the process', async () => {
  await using rig = await createRig()
  const bug = new TypeError('a bug')
  rig.broker.sendError = bug
  await assert.rejects(rig.writer.write([record(0, 'a')]), /outcome is unknown/)
  await turn()
  assert.deepEqual(rig.fatal, [bug])
  await assert.rejects(rig.writer.write([record(0, 'b')]))
})

test('close - finishes what is queued, then closes the producer', async () => {
  await using rig = await createRig()
  rig.broker.hold()
  const first = rig.writer.write([record(0, 'a')])
  await turn()
  const second = rig.writer.write([record(0, 'b')])
  const closing = rig.writer.close()
  await assert.rejects(rig.writer.write([record(0, 'c')]), /stopping/)
  rig.broker.release()
  await closing
  assert.equal((await first).length, 1)
  assert.equal((await second).length, 1)
  assert.equal(rig.broker.records.length, 2)
  assert.equal(rig.broker.closed, 1)
})
