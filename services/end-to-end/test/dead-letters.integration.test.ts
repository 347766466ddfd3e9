// Do dead letters come back once, and does a parked record let its partition go on?
import { Decoder, Schemas, type Encoder, type PlayerActivity } from '@churnstream/schemas'
import { until } from '@churnstream/runtime/testing'
import { deadLetterTopic, services, topics } from '@churnstream/topology'
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCommand, type Ended } from '../pipeline/command.ts'
import { depositOf } from '../pipeline/deposit.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'

const main = fileURLToPath(new URL('../../dead-letters/src/main.ts', import.meta.url))
const verifier = fileURLToPath(new URL('../../verifier/src/main.ts', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-letters-'))
const ended = new AbortController()
const failures: string[] = []
const topic = topics.playerActivity.name
let pipeline: Pipeline
let schemas: Schemas
let encoder: Encoder<'player-activity'>

before(async () => {
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    services: ['registryBridge', 'features', 'scorer', 'sinks'],
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
  schemas = new Schemas({ url: pipeline.stack.registry.url })
  encoder = await schemas.encoderOf(topics.playerActivity)
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

const call = (script: string, ...args: string[]): Promise<Ended> =>
  runCommand(script, args, dataDir)
const dlq = (...args: string[]): Promise<Ended> => call(main, ...args)

const activity = (playerId: string): PlayerActivity =>
  depositOf(playerId, `${playerId}-1`, Date.now())

async function send(partition: number, ...values: Buffer[]): Promise<void> {
  const producer = await pipeline.kafka.openProducer()
  await producer.send(values.map((value) => ({ topic, partition, key: 'ada', value })))
  await producer.close()
}

async function count(name: string, partition: number): Promise<number> {
  let counted = 0
  for await (const records of pipeline.kafka.read(name, partition)) counted += records.length
  return counted
}

const letters = deadLetterTopic({ name: topic })

interface Exported {
  readonly place: string
  readonly headers: Readonly<Record<string, string>>
}

async function exported(): Promise<Exported[]> {
  const file = join(dataDir, 'letters.jsonl')
  const { code, stderr } = await dlq('export', file)
  assert.equal(code, 0, stderr)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Exported)
}

test('dlq - letters are counted, shown and exported with their bytes', async () => {
  await send(0, Buffer.from('no record'), Buffer.from('neither'))
  await until('two letters', async () => (await count(letters, 0)) === 2)
  const list = await dlq('list', '--json')
  const [first] = JSON.parse(list.stdout) as { topic: string; waiting: number }[]
  assert.deepEqual([first?.topic, first?.waiting], [topic, 2])
  const [one, two, ...more] = await exported()
  assert.ok(one && two && more.length === 0)
  const shown = await dlq('show', one.place)
  const { value, cause } = JSON.parse(shown.stdout) as {
    value: string
    cause: { offset: number }
  }
  assert.equal(Buffer.from(value, 'base64').toString(), 'no record')
  assert.equal(cause.offset, 0)
})

test('dlq replay - each letter goes back once, and what is still poison becomes a letter that names it', async () => {
  const [one, two] = (await exported()) as [Exported, Exported]
  const replayed = await dlq('replay', '--json')
  assert.equal(replayed.code, 0, replayed.stderr)
  const { selected, receipts, records } = JSON.parse(replayed.stdout) as Record<string, number>
  assert.deepEqual({ selected, receipts, records }, { selected: 2, receipts: 2, records: 2 })
  await until('two more letters', async () => (await count(letters, 0)) === 4)
  const again = await dlq('replay', '--place', one.place, '--json')
  const second = JSON.parse(again.stdout) as Record<string, number>
  assert.deepEqual([second['selected'], second['doneBefore']], [0, 1])
  const names = (await exported()).map(({ headers }) =>
    Buffer.from(headers['replay.of'] ?? '', 'base64').toString(),
  )
  assert.deepEqual(names, ['', '', one.place, two.place])
})

test('dlq drop - needs a reason, and leaves nothing waiting', async () => {
  const without = await dlq('drop')
  assert.equal(without.code, 1)
  assert.match(without.stderr, /--because is missing/)
  assert.equal((await dlq('drop', '--because', 'a test')).code, 0)
  const { stdout } = await dlq('list', '--json')
  const counts = JSON.parse(stdout) as { waiting: number; dropped: number; replayed: number }[]
  assert.deepEqual(
    counts.map(({ waiting, dropped, replayed }) => [waiting, dropped, replayed]),
    [[0, 2, 2]],
  )
})

test('dlq park - only the record at which a partition stands, and its service goes on behind it', async () => {
  await pipeline.process('features').stop()
  const before = await count(topics.featureVectors.name, 3)
  await send(3, encoder.encode(activity('parked')), encoder.encode(activity('next')))
  const records: number[] = []
  for await (const part of pipeline.kafka.read(topic, 3)) {
    records.push(...part.map(({ offset }) => Number(offset)))
  }
  const [stopping, behind] = records.slice(-2) as [number, number]
  const wrong = await dlq('park', `${topic}-3@${behind}`, '--because', 'a test')
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /only the record that stops it can be parked/)
  const parked = await dlq('park', `${topic}-3@${stopping}`, '--because', 'a test')
  assert.equal(parked.code, 0, parked.stderr)
  await pipeline.restart('features')
  await until('the next vector', async () => {
    return (await count(topics.featureVectors.name, 3)) === before + 1
  })
  const decoder = new Decoder('feature-vector')
  for await (const part of pipeline.kafka.read(topics.featureVectors.name, 3)) {
    const values = part.map(({ value }) => value)
    await schemas.prepare(decoder, values)
    assert.ok(values.every((value) => JSON.stringify(decoder.decode(value)).includes('"next"')))
  }
  assert.equal(
    await pipeline.kafka.committedOffset(services.features.name, topic, 3),
    BigInt(behind + 1),
  )
})

test('verify - what was set aside, replayed and parked is no breach', async () => {
  const verified = await call(verifier, '--json', '--sample', '10')
  assert.notEqual(verified.stdout, '', verified.stderr)
  const { breaches, records } = JSON.parse(verified.stdout) as {
    breaches: unknown[]
    records: { deadLetters: number }
  }
  assert.deepEqual(breaches, [])
  assert.equal(records.deadLetters, 5)
  assert.equal(verified.code, 0, verified.stderr)
})

test('dlq - what cannot be understood is refused with what could', async () => {
  assert.match((await dlq('mend')).stderr, /no command mend/)
  assert.match((await dlq('show', 'here')).stderr, /here is no place/)
  assert.match((await dlq('show', `${letters}-0@99`)).stderr, /no dead letter at/)
  assert.match((await dlq('park', 'churn-tea-0@1', '--because', 'x')).stderr, /no service consumes/)
})
