// Does a process get kafkajs with all replacements, or a clear refusal?
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { FetchedBatch } from './fetched-batch.ts'
import { loadKafkajs, replacedFiles, verifyDigest } from './install.ts'
import { ReplaceProducerError } from './transaction-manager.ts'

const require = createRequire(import.meta.url)
const root = dirname(require.resolve('kafkajs'))
const installUrl = new URL('./install.ts', import.meta.url).href

function runChild(source: string) {
  const args = ['--input-type=module', '--eval', source]
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname })
}

test('loadKafkajs - kafkajs sees the replacements', () => {
  const kafkajs = loadKafkajs()
  assert.equal(loadKafkajs(), kafkajs)
  assert.equal(process.env['KAFKAJS_NO_PARTITIONER_WARNING'], '1')
  assert.equal(require(join(root, replacedFiles.batch.path)), FetchedBatch)
  const produce = require(join(root, 'src/protocol/requests/produce/v7/request.js'))
  const request = { acks: -1, timeout: 1, producerId: '-1', producerEpoch: 0, topicData: [] }
  assert.throws(() => produce({ ...request, compression: 1 }), /do not compress/)
})

test('loadKafkajs - a producer runs on our transaction manager', async () => {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({
    brokers: ['127.0.0.1:1'],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  })
  const producer = kafka.producer({ transactionalId: 't', maxInFlightRequests: 1 })
  await assert.rejects(producer.transaction())
  await producer.disconnect()

  const createManager: (options: object) => { commit(): Promise<void> } = require(
    join(root, replacedFiles.transactionManager.path),
  )
  const eos = createManager({
    logger: { debug() {} },
    cluster: {},
    transactional: true,
    transactionalId: 't',
  })
  await assert.rejects(() => eos.commit(), { name: 'TransactionStateError' })
  assert.equal(new ReplaceProducerError('p', 'r').retriable, false)
})

test('loadKafkajs - ZSTD goes there and back', async () => {
  const { CompressionCodecs, CompressionTypes } = loadKafkajs()
  const codec: {
    compress(encoder: { buffer: Buffer }): Promise<Buffer>
    decompress(buffer: Buffer): Promise<Buffer>
  } = CompressionCodecs[CompressionTypes.ZSTD]()
  const buffer = Buffer.from('player '.repeat(1000))
  const compressed = await codec.compress({ buffer })
  assert.ok(compressed.length < 100)
  assert.deepEqual(await codec.decompress(compressed), buffer)
})

test('loadKafkajs - replaces what was loaded before it', () => {
  const { status, stderr } = runChild(`
    import assert from 'node:assert/strict'
    import { createRequire } from 'node:module'
    const require = createRequire(${JSON.stringify(installUrl)})
    const stock = require('kafkajs/src/consumer/batch.js')
    await import('kafkajs')
    const { loadKafkajs } = await import(${JSON.stringify(installUrl)})
    loadKafkajs()
    assert.notEqual(require('kafkajs/src/consumer/batch.js'), stock)`)
  assert.equal(status, 0, stderr)
})

test('loadKafkajs - a later import of kafkajs is the same module', () => {
  const { status, stderr } = runChild(`
    import assert from 'node:assert/strict'
    const { loadKafkajs } = await import(${JSON.stringify(installUrl)})
    const kafkajs = loadKafkajs()
    assert.equal((await import('kafkajs')).default, kafkajs)`)
  assert.equal(status, 0, stderr)
})

for (const [name, { path, sha256 }] of Object.entries(replacedFiles)) {
  test(`verifyDigest - ${name}: the installed file passes, any changed byte does not`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kafkajs-digest-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const copy = join(folder, 'index.js')
    copyFileSync(join(root, path), copy)
    verifyDigest(copy, sha256)

    const original = readFileSync(copy)
    for (const at of [0, Math.floor(original.length / 2), original.length - 1]) {
      const changed = Buffer.from(original)
      changed[at] = (changed[at] ?? 0) ^ 1
      writeFileSync(copy, changed)
      assert.throws(
        () => verifyDigest(copy, sha256),
        (error) => {
          assert.ok(error instanceof Error)
          for (const part of [copy, `expected ${sha256}`, 'found ', 'npm ci']) {
            assert.ok(error.message.includes(part), part)
          }
          return true
        },
      )
    }
  })
}

test('loadKafkajs - what kafkajs waits for does not hang on the wall clock', (context) => {
  loadKafkajs()
  const SocketRequest: new (options: object) => { createdAt: number } = require(
    join(root, replacedFiles.socketRequest.path),
  )
  const ConsumerGroup: new (options: object) => { lastRequest: number } = require(
    join(root, replacedFiles.consumerGroup.path),
  )
  const now = Date.now()
  context.mock.timers.enable({ apis: ['Date'], now: now - 3_600_000 })
  const { createdAt } = new SocketRequest({ entry: {} })
  assert.ok(Math.abs(createdAt - now) < 60_000, 'a request times out by a clock that goes on')
  const { lastRequest } = new ConsumerGroup({ logger: { namespace() {} }, groupId: 'g' })
  assert.ok(Math.abs(lastRequest - now) < 60_000, 'heartbeats go on')
})
