// Does a transactional producer stay safe whatever its coordinators answer?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { ProtocolRequest, TransactionState } from './describe-transaction.ts'
import {
  mustReplaceProducer,
  reachOf,
  ReplaceProducerError,
  sequenceAfter,
  transactionManagers,
  TransactionStateError,
} from './transaction-manager.ts'
import type { Broker, Cluster, Internals, TransactionManager } from './transaction-manager.ts'

type Create = ReturnType<typeof transactionManagers>
type Step = keyof Omit<Broker, 'nodeId' | 'connectionPool'> | 'describe'
/** An error type of kafkajs' table, 'ok', or an error that is no broker's answer. */
type Answer = string | Error

const require = createRequire(import.meta.url)
const stock: Create = require('kafkajs/src/producer/eosManager/index.js')
const protocol: {
  errorCodes: { type: string; code: number }[]
  createErrorFromCode(code: number): Error
} = require('kafkajs/src/protocol/error.js')
const errors: {
  KafkaJSRequestTimeoutError: new (message: string) => Error
  KafkaJSConnectionClosedError: new (message: string) => Error
} = require('kafkajs/src/errors.js')

const Encoder: Internals['Encoder'] = require('kafkajs/src/protocol/encoder.js')
const ours = transactionManagers({ Encoder })
const impatient = transactionManagers({ Encoder }, { firstMs: 1, longestMs: 2, totalMs: 20 })
const sends = [{ topic: 'out', partitions: [{ partition: 0 }] }]
const offsets = {
  consumerGroupId: 'group',
  topics: [{ topic: 'in', partitions: [{ partition: 0, offset: '7' }] }],
}
const UNKNOWN_OUTCOMES: Answer[] = [
  new errors.KafkaJSRequestTimeoutError('timed out'),
  new errors.KafkaJSConnectionClosedError('closed'),
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'UNKNOWN',
]
const FENCINGS = [
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
]

function answer(of: Answer): Error | undefined {
  if (of instanceof Error) return of
  if (of === 'ok') return undefined
  const code = protocol.errorCodes.find(({ type }) => type === of)?.code
  assert.ok(code !== undefined, `${of} is no error type of kafkajs`)
  return protocol.createErrorFromCode(code)
}

/** Two brokers that answer from one script; after the script everything succeeds. */
function scriptedCluster(
  script: Partial<Record<Step, Answer[]>> = {},
  described?: TransactionState,
) {
  const sent: string[] = []
  let lookups = 0
  let lookupError: Error | undefined
  async function reply(step: Step, note = '') {
    sent.push(step + note)
    const error = answer(script[step]?.shift() ?? 'ok')
    if (error) throw error
  }
  function broker(nodeId: number): Broker {
    return {
      nodeId,
      isConnected: () => lookupError === undefined,
      async initProducerId() {
        await reply('initProducerId')
        return { producerId: '4711', producerEpoch: 3 }
      },
      connectionPool: {
        async send<T>({ response }: ProtocolRequest<T>): Promise<T> {
          await reply('describe')
          const errorCode = described === undefined ? 105 : 0
          return response.parse({ errorCode, state: described ?? '' })
        },
      },
      addPartitionsToTxn: () => reply('addPartitionsToTxn'),
      addOffsetsToTxn: () => reply('addOffsetsToTxn'),
      txnOffsetCommit: () => reply('txnOffsetCommit'),
      endTxn: ({ transactionResult }) => reply('endTxn', transactionResult ? ':commit' : ':abort'),
    }
  }
  const cluster: Cluster & { retry: object } = {
    retry: { initialRetryTime: 1, retries: 2 },
    async refreshMetadataIfNecessary() {},
    findControllerBroker: async () => broker(0),
    async findGroupCoordinator() {
      if (lookupError) throw lookupError
      return broker(lookups++ % 2)
    },
  }
  return {
    cluster,
    sent,
    lookups: () => lookups,
    failLookups: (error: Error) => (lookupError = error),
    count: (start: string) => sent.filter((entry) => entry.startsWith(start)).length,
  }
}

function manager(create: Create, { cluster }: { cluster: Cluster }): TransactionManager {
  return create({
    logger: { debug() {} },
    cluster,
    transactional: true,
    transactionalId: 'app.group.in.0',
  })
}

async function begun(create: Create, script: Partial<Record<Step, Answer[]>> = {}) {
  const fake = scriptedCluster(script)
  const eos = manager(create, fake)
  await eos.initProducerId()
  eos.beginTransaction()
  return { ...fake, eos }
}

async function assertFinished(eos: TransactionManager) {
  const begins = async () => eos.beginTransaction()
  const initialises = () => eos.initProducerId()
  const adds = () => eos.addPartitionsToTransaction(sends)
  const commits = () => eos.sendOffsets(offsets)
  for (const call of [eos.commit, eos.abort, begins, initialises, adds, commits]) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ReplaceProducerError)
      assert.match(error.message, /must be replaced/)
      assert.equal(error.retriable, false)
      return mustReplaceProducer(error)
    })
  }
  assert.equal(eos.isInTransaction(), false)
}

test('commit - the whole transaction runs and leaves the producer ready', async () => {
  const { eos, sent } = await begun(ours)
  assert.equal(eos.getProducerId(), '4711')
  assert.equal(eos.getProducerEpoch(), 3)
  assert.equal(eos.getTransactionalId(), 'app.group.in.0')
  await eos.addPartitionsToTransaction(sends)
  await eos.addPartitionsToTransaction(sends)
  await eos.sendOffsets(offsets)
  await eos.commit()
  eos.beginTransaction()
  await eos.addPartitionsToTransaction(sends)
  await eos.abort()
  assert.deepEqual(sent, [
    'initProducerId',
    'addPartitionsToTxn',
    'addOffsetsToTxn',
    'txnOffsetCommit',
    'endTxn:commit',
    'addPartitionsToTxn',
    'endTxn:abort',
  ])
})

test('commit - an empty transaction sends no EndTxn', async () => {
  const { eos, count } = await begun(ours)
  await eos.commit()
  eos.beginTransaction()
  await eos.abort()
  assert.equal(count('endTxn'), 0)
})

for (const type of [
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'CONCURRENT_TRANSACTIONS',
]) {
  test(`commit - ${type} once is asked again; stock is stuck (E4)`, async () => {
    const { eos, count, lookups } = await begun(ours, { endTxn: [type] })
    await eos.addPartitionsToTransaction(sends)
    const before = lookups()
    await eos.commit()
    assert.equal(count('endTxn:commit'), 2)
    const moved = type.includes('COORDINATOR')
    assert.equal(lookups() - before, moved ? 1 : 0, 'looks the coordinator up only where it moved')
    eos.beginTransaction()

    const other = await begun(stock, { endTxn: [type] })
    await other.eos.addPartitionsToTransaction(sends)
    await assert.rejects(other.eos.commit)
    await assert.rejects(other.eos.abort, /in state "COMMITTING"/)
    assert.throws(() => other.eos.beginTransaction(), /in state "COMMITTING"/)
  })
}

for (const method of ['commit', 'abort'] as const) {
  for (const outcome of [...UNKNOWN_OUTCOMES, ...FENCINGS]) {
    test(`${method} - ${String(outcome)} ends the producer without a second EndTxn`, async () => {
      const { eos, count } = await begun(ours, { endTxn: [outcome] })
      await eos.addPartitionsToTransaction(sends)
      await assert.rejects(eos[method], ReplaceProducerError)
      await assertFinished(eos)
      assert.equal(count('endTxn'), 1)
    })
  }

  test(`${method} - stock stays stuck after a timeout and never says why (E4)`, async () => {
    const timeout = new errors.KafkaJSRequestTimeoutError('timed out')
    const { eos } = await begun(stock, { endTxn: [timeout] })
    await eos.addPartitionsToTransaction(sends)
    await assert.rejects(eos[method], timeout)
    await assert.rejects(eos.abort, /Cannot call "abort" in state "(COMMITTING|ABORTING)"/)
    await assert.rejects(() => eos.initProducerId(), /Cannot call "initProducerId" in state/)
  })

  test(`${method} - gives up within its bound, for good`, async () => {
    const endTxn = Array.from({ length: 1000 }, () => 'CONCURRENT_TRANSACTIONS')
    const { eos, count } = await begun(impatient, { endTxn })
    await eos.addPartitionsToTransaction(sends)
    const startedAt = performance.now()
    await assert.rejects(eos[method], ReplaceProducerError)
    assert.ok(performance.now() - startedAt < 1000)
    const asked = count('endTxn')
    assert.ok(asked > 1 && asked < 30)
    await assertFinished(eos)
    assert.equal(count('endTxn'), asked)
  })

  test(`${method} - a coordinator that cannot be found ends the producer`, async () => {
    const { eos, count, failLookups } = await begun(ours)
    await eos.addPartitionsToTransaction(sends)
    failLookups(new Error('no broker'))
    await assert.rejects(eos[method], /must be replaced.*no broker/)
    await assertFinished(eos)
    assert.equal(count('endTxn'), 0)
  })
}

test('addPartitionsToTransaction - CONCURRENT_TRANSACTIONS is over in milliseconds (E9)', async () => {
  const script = { addPartitionsToTxn: ['CONCURRENT_TRANSACTIONS', 'CONCURRENT_TRANSACTIONS'] }
  const { eos, count } = await begun(ours, { ...script })
  const startedAt = performance.now()
  await eos.addPartitionsToTransaction(sends)
  assert.ok(performance.now() - startedAt < 150)
  assert.equal(count('addPartitionsToTxn'), 3)

  // Stock throws it into the producer's retrier, which starts at 300 ms.
  const other = await begun(stock, { addPartitionsToTxn: ['CONCURRENT_TRANSACTIONS'] })
  await assert.rejects(() => other.eos.addPartitionsToTransaction(sends), {
    type: 'CONCURRENT_TRANSACTIONS',
  })
})

test('sendOffsets - AddOffsetsToTxn asks again on CONCURRENT_TRANSACTIONS (E8)', async () => {
  const { eos, count } = await begun(ours, { addOffsetsToTxn: ['CONCURRENT_TRANSACTIONS'] })
  const startedAt = performance.now()
  await eos.sendOffsets(offsets)
  assert.ok(performance.now() - startedAt < 150)
  assert.equal(count('addOffsetsToTxn'), 2)
  await eos.commit()
  assert.equal(count('endTxn:commit'), 1)

  const other = await begun(stock, { addOffsetsToTxn: ['CONCURRENT_TRANSACTIONS'] })
  await assert.rejects(() => other.eos.sendOffsets(offsets), { type: 'CONCURRENT_TRANSACTIONS' })
})

for (const type of [
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]) {
  test(`sendOffsets - TxnOffsetCommit asks again on ${type} (E12)`, async () => {
    const { eos, count } = await begun(ours, { txnOffsetCommit: [type] })
    await eos.sendOffsets(offsets)
    assert.equal(count('txnOffsetCommit'), 2)

    const other = await begun(stock, { txnOffsetCommit: [type] })
    await assert.rejects(() => other.eos.sendOffsets(offsets), { type })
    assert.equal(other.count('txnOffsetCommit'), 1)
  })
}

for (const step of ['addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit'] as const) {
  for (const outcome of [...UNKNOWN_OUTCOMES, ...FENCINGS]) {
    test(`${step} - ${String(outcome)} ends the producer`, async () => {
      const { eos, count } = await begun(ours, { [step]: [outcome] })
      const call =
        step === 'addPartitionsToTxn'
          ? () => eos.addPartitionsToTransaction(sends)
          : () => eos.sendOffsets(offsets)
      await assert.rejects(call, ReplaceProducerError)
      await assertFinished(eos)
      assert.equal(count(step), 1)
      assert.equal(count('endTxn'), 0)
    })
  }
}

test('addPartitionsToTransaction - a refusal leaves the transaction to be aborted', async () => {
  const { eos, count } = await begun(ours, { addPartitionsToTxn: ['TOPIC_AUTHORIZATION_FAILED'] })
  await assert.rejects(() => eos.addPartitionsToTransaction(sends), {
    type: 'TOPIC_AUTHORIZATION_FAILED',
  })
  assert.equal(eos.isInTransaction(), true)
  await eos.abort()
  assert.equal(count('endTxn'), 0)
  eos.beginTransaction()
})

test('addPartitionsToTransaction - a lookup that fails sent nothing, so all stays open', async () => {
  const { eos, failLookups } = await begun(ours)
  failLookups(new Error('no broker'))
  await assert.rejects(() => eos.addPartitionsToTransaction(sends), { message: 'no broker' })
  assert.equal(eos.isInTransaction(), true)
})

test('addPartitionsToTransaction - never joins the transaction after its own', async () => {
  const { eos, count } = await begun(ours, { addPartitionsToTxn: ['CONCURRENT_TRANSACTIONS'] })
  const late = eos.addPartitionsToTransaction(sends)
  await new Promise((resolve) => setImmediate(resolve))
  await eos.abort()
  eos.beginTransaction()
  await assert.rejects(late, TransactionStateError)
  assert.equal(count('addPartitionsToTxn'), 1)
})

test('initProducerId - waits out the transaction it fences, in milliseconds (E9)', async () => {
  const fake = scriptedCluster({ initProducerId: ['CONCURRENT_TRANSACTIONS'] })
  const startedAt = performance.now()
  await manager(ours, fake).initProducerId()
  assert.ok(performance.now() - startedAt < 150)
  assert.equal(fake.count('initProducerId'), 2)
})

test('initProducerId - a failure can be repeated: nothing was open yet', async () => {
  const timeout = new errors.KafkaJSRequestTimeoutError('timed out')
  const eos = manager(ours, scriptedCluster({ initProducerId: [timeout] }))
  await assert.rejects(() => eos.initProducerId(), timeout)
  assert.equal(eos.isInitialized(), false)
  await eos.initProducerId()
  assert.equal(eos.isInitialized(), true)
})

test('beginTransaction - is refused in the wrong state, and commit before begin', async () => {
  const { eos } = await begun(ours)
  assert.throws(() => eos.beginTransaction(), TransactionStateError)
  await eos.commit()
  await assert.rejects(eos.commit, TransactionStateError)
})

test('updateSequence - wraps from 2^31-1 as Kafka does; stock starts at 0 (E7)', async () => {
  const max = 2 ** 31 - 1
  for (const [create, expected] of [
    [ours, 89],
    [stock, 0],
  ] as const) {
    const { eos } = await begun(create)
    eos.updateSequence('out', 0, max - 10)
    eos.updateSequence('out', 0, 100)
    assert.equal(eos.getSequence('out', 0), expected)
  }
})

test('updateSequence - taking a send back over the wrap restores it; stock goes below 0', async () => {
  const max = 2 ** 31 - 1
  for (const [create, expected] of [
    [ours, max - 10],
    [stock, -100],
  ] as const) {
    const { eos } = await begun(create)
    eos.updateSequence('out', 0, max - 10)
    eos.updateSequence('out', 0, 100)
    eos.updateSequence('out', 0, -100)
    assert.equal(eos.getSequence('out', 0), expected)
  }
})

test('sequenceAfter - 2^31-1 itself is used before 0', () => {
  const max = 2 ** 31 - 1
  assert.equal(sequenceAfter(max - 5, 5), max)
  assert.equal(sequenceAfter(max, 1), 0)
  assert.equal(sequenceAfter(0, -1), max)
  assert.equal(sequenceAfter(7, 3), 10)
})

test('abort - after a send that was taken back the sequence is unknown: replace', async () => {
  const { eos, count } = await begun(ours)
  await eos.addPartitionsToTransaction(sends)
  eos.updateSequence('out', 0, 5)
  eos.updateSequence('out', 0, -5)
  await eos.abort()
  assert.equal(count('endTxn:abort'), 1)
  await assertFinished(eos)
})

test('commit - a send that succeeded on its second try changes nothing', async () => {
  const { eos } = await begun(ours)
  await eos.addPartitionsToTransaction(sends)
  for (const increment of [5, -5, 5]) eos.updateSequence('out', 0, increment)
  await eos.commit()
  eos.beginTransaction()
  assert.equal(eos.getSequence('out', 0), 5)
})

test('idempotent producer - counts sequences from its first id on, and has no transactions', async () => {
  const fake = scriptedCluster()
  const eos = ours({ logger: { debug() {} }, cluster: fake.cluster, transactional: false })
  eos.updateSequence('out', 0, 5)
  assert.equal(eos.getSequence('out', 0), 0)
  await eos.initProducerId()
  eos.updateSequence('out', 0, 5)
  assert.equal(eos.getSequence('out', 0), 5)
  assert.equal(fake.lookups(), 0)
  assert.throws(() => eos.beginTransaction(), TransactionStateError)
})

test('mustReplaceProducer - sees fencing through wrappers, and nothing in other errors', () => {
  const fenced = answer('INVALID_PRODUCER_EPOCH')
  assert.equal(mustReplaceProducer(new Error('wrapped', { cause: fenced })), true)
  assert.equal(mustReplaceProducer(answer('NOT_LEADER_FOR_PARTITION')), false)
  assert.equal(mustReplaceProducer('text'), false)
})

const settling: [TransactionState | undefined, string[]][] = [
  [undefined, []],
  ['Empty', []],
  ['CompleteCommit', ['endTxn:commit']],
  ['PrepareCommit', ['endTxn:commit']],
  ['CompleteAbort', ['endTxn:abort']],
  ['Ongoing', ['endTxn:abort']],
]

test('initProducerId - writes the last decision once more wherever the id may reach, and waits for it', async () => {
  reachOf.set('app.group.in.0', {
    partitions: [{ topic: 'out', partition: 0 }],
    groupIds: ['group'],
  })
  try {
    for (const [state, ended] of settling) {
      const fake = scriptedCluster({}, state)
      const eos = manager(ours, fake)
      await eos.initProducerId()
      const settled =
        ended.length === 0
          ? []
          : ['addPartitionsToTxn', 'addOffsetsToTxn', ...ended, 'initProducerId']
      assert.deepEqual(fake.sent, ['describe', 'initProducerId', ...settled], state)
      assert.ok(eos.isInitialized())
    }
  } finally {
    reachOf.clear()
  }
})

test('initProducerId - a settlement whose end is unknown leaves the producer unopened', async () => {
  reachOf.set('app.group.in.0', { partitions: [{ topic: 'out', partition: 0 }] })
  try {
    const fake = scriptedCluster(
      { endTxn: [new errors.KafkaJSConnectionClosedError('closed')] },
      'CompleteCommit',
    )
    const eos = manager(ours, fake)
    await assert.rejects(eos.initProducerId(), /closed/)
    assert.equal(eos.isInitialized(), false)
    assert.equal(fake.count('addOffsetsToTxn'), 0)
    await eos.initProducerId()
    assert.ok(eos.isInitialized())
  } finally {
    reachOf.clear()
  }
})
