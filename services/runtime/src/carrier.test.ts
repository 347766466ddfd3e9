// Do lanes that share transactions each get what they would get alone?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createCarrier } from './carrier.ts'
import type { Placed, Transaction, TransactionalProducer } from './kafka.ts'

const offsetOf = (partition: number) => ({ groupId: 'g', topic: 'in', partition, next: 1n })

function transactionOf(lane: number, bytes = 1): Transaction {
  const record = { topic: 'out', partition: lane, key: 'k', value: Buffer.alloc(bytes, lane) }
  return { records: [record, record], offsets: [offsetOf(lane)] }
}

const lanesOf = ({ offsets = [] }: Transaction): number[] =>
  offsets.map(({ partition }) => partition)

/** Commits when it is told to. */
function producerUnderTest() {
  const begun: { transaction: Transaction; end: PromiseWithResolvers<void> }[] = []
  const producer: TransactionalProducer = {
    async commit(transaction) {
      const end = Promise.withResolvers<void>()
      begun.push({ transaction, end })
      let at = 0n
      const places = transaction.records.map(({ partition }): Placed => ({
        partition,
        offset: at++,
      }))
      await transaction.follow?.(places)
      await end.promise
    },
    close: async () => undefined,
  }
  return { producer, begun }
}

test('carrier - lanes at work together commit together, and what comes meanwhile goes next', async () => {
  const { producer, begun } = producerUnderTest()
  const carrier = createCarrier('c', producer)
  const [first, second, third] = [carrier.enter(), carrier.enter(), carrier.enter()]
  const done = [first.commit(transactionOf(0)), second.commit(transactionOf(1))]
  await nextTurn()
  assert.equal(begun.length, 0, 'the third is at work')
  third[Symbol.dispose]()
  await nextTurn()
  assert.deepEqual(
    begun.map(({ transaction }) => lanesOf(transaction)),
    [[0, 1]],
  )
  const late = [2, 3].map((lane) => carrier.enter().commit(transactionOf(lane)))
  await nextTurn()
  assert.equal(begun.length, 1, 'one at a time')
  begun[0]?.end.resolve()
  await Promise.all(done)
  await nextTurn()
  assert.deepEqual(lanesOf(begun[1]?.transaction as Transaction), [2, 3])
  begun[1]?.end.resolve()
  await Promise.all(late)
  assert.equal(carrier.isBroken, false)
})

test('carrier - nobody waits long for a lane that takes its time', async () => {
  const { producer, begun } = producerUnderTest()
  const carrier = createCarrier('c', producer)
  using slow = carrier.enter()
  const done = carrier.enter().commit(transactionOf(0))
  while (begun.length === 0) await nextTurn()
  begun[0]?.end.resolve()
  await done
  void slow
})

test('carrier - a transaction takes no more lanes once it is large', async () => {
  const { producer, begun } = producerUnderTest()
  const carrier = createCarrier('c', producer)
  using working = carrier.enter()
  const done = [0, 1, 2].map((lane) => carrier.enter().commit(transactionOf(lane, 700_000)))
  await nextTurn()
  assert.deepEqual(lanesOf(begun[0]?.transaction as Transaction), [0, 1])
  working[Symbol.dispose]()
  begun[0]?.end.resolve()
  await Promise.all(done.slice(0, 2))
  await nextTurn()
  assert.deepEqual(lanesOf(begun[1]?.transaction as Transaction), [2])
  begun[1]?.end.resolve()
  await done[2]
})

test('carrier - after a commit that failed all of its lanes hear of it, and nothing goes any more', async () => {
  const { producer, begun } = producerUnderTest()
  const carrier = createCarrier('c', producer)
  const aboard = carrier.enter().commit(transactionOf(0))
  await nextTurn()
  const waiting = carrier.enter().commit(transactionOf(1))
  const failed = [assert.rejects(aboard, /unanswered/), assert.rejects(waiting, /broke/)]
  begun[0]?.end.reject(new Error('unanswered'))
  await Promise.all(failed)
  assert.equal(carrier.isBroken, true)
  await assert.rejects(carrier.enter().commit(transactionOf(2)), /broke/)
  assert.equal(begun.length, 1)
})

test('carrier - what follows is told the places of its own records', async () => {
  const { producer, begun } = producerUnderTest()
  const carrier = createCarrier('c', producer)
  const told = new Map<number, readonly Placed[]>()
  const following = (lane: number): Transaction => ({
    ...transactionOf(lane),
    async follow(placed) {
      told.set(lane, placed)
      return { records: [], offsets: [] }
    },
  })
  const done = [following(0), transactionOf(1), following(2)].map((one) =>
    carrier.enter().commit(one),
  )
  while (begun.length === 0) await nextTurn()
  begun[0]?.end.resolve()
  await Promise.all(done)
  assert.deepEqual(
    [...told],
    [
      [0, [0n, 1n].map((offset) => ({ partition: 0, offset }))],
      [2, [4n, 5n].map((offset) => ({ partition: 2, offset }))],
    ],
  )
})
