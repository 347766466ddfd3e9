// Does the local stack keep its promises, with the real servers?
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from 'pg'
import { familyOf, isAlive, startStack, type Crash, type Stack } from './index.ts'

const boundMs = 30_000
const folder = mkdtempSync(join(tmpdir(), 'churnstream-stack-'))
const crashes: (Crash & { server: string })[] = []
let stack: Stack

before(async () => {
  stack = await startStack({
    dataDir: join(folder, 'stack'),
    ports: 'free',
    onCrash: (server, crash) => crashes.push({ server: server.name, ...crash }),
  })
})

after(async () => {
  await stack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('stack.kafka - a record that was produced is fetched', async () => {
  const { brokers } = stack.kafka
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const [topic, admin, producer] = ['stack-test', kafka.admin(), kafka.producer()]
  const consumer = kafka.consumer({ groupId: 'stack-test' })
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
  await producer.send({ topic, messages: [{ key: 'player', value: 'bet' }] })
  await consumer.subscribe({ topic, fromBeginning: true })
  const value = await new Promise<string | undefined>((resolve, reject) => {
    consumer
      .run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) })
      .catch(reject)
  })
  await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
  assert.equal(value, 'bet')
})

test('stack.servers.registry - an id survives kill -9 and a new start', async () => {
  const schema = JSON.stringify({ type: 'record', name: 'Probe', fields: [] })
  const { id } = await register(schema)
  await stack.servers.registry.kill9()
  await stack.servers.registry.start()
  const answer = await fetch(`${stack.registry.url}/schemas/ids/${id}`)
  assert.equal(JSON.parse(((await answer.json()) as { schema: string }).schema).name, 'Probe')
  assert.equal((await register(schema)).id, id)
})

test('stack.servers.postgres - committed rows survive kill -9, as the role that owns them', async () => {
  await sql('CREATE TABLE probe (player text)')
  await sql("INSERT INTO probe VALUES ('p1')")
  await stack.servers.postgres.kill9()
  await stack.servers.postgres.start()
  const rows = await sql('SELECT player, current_user AS role FROM probe')
  assert.deepEqual(rows, [{ player: 'p1', role: 'churnstream' }])
})

test('stack.s3 - an object comes back, and a wrong key is refused', async () => {
  const { bucket: Bucket, endpoint, region, accessKeyId, secretAccessKey } = stack.s3
  const Key = 'models/a/model.onnx'
  const settings = { endpoint, region, forcePathStyle: true }
  const s3 = new S3Client({ ...settings, credentials: { accessKeyId, secretAccessKey } })
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'bytes' }))
  const found = await s3.send(new GetObjectCommand({ Bucket, Key }))
  assert.equal(await found.Body?.transformToString(), 'bytes')
  const stranger = new S3Client({
    ...settings,
    credentials: { accessKeyId, secretAccessKey: 'wrong' },
  })
  await assert.rejects(stranger.send(new GetObjectCommand({ Bucket, Key })), {
    name: 'SignatureDoesNotMatch',
  })
})

test('stack.mlflow - an experiment lies in S3, and a webhook may point to this computer', async () => {
  const created = await mlflow('POST', 'experiments/create', { name: 'probe' })
  const found = await mlflow(
    'GET',
    `experiments/get?experiment_id=${String(created['experiment_id'])}`,
  )
  const { artifact_location } = found['experiment'] as { artifact_location: string }
  assert.match(artifact_location, /^s3:\/\/churnstream\//)
  const webhook = await mlflow('POST', 'webhooks', {
    name: 'probe',
    url: 'http://127.0.0.1:9/hook',
    events: [{ entity: 'MODEL_VERSION_ALIAS', action: 'CREATED' }],
    secret: 'probe',
  })
  assert.ok(webhook['webhook'])
})

test('stack.rssBytes - every server holds memory', () => {
  const bytes = stack.rssBytes()
  for (const name of ['kafka', 'registry', 'postgres', 's3', 'mlflow'] as const) {
    assert.ok((bytes[name] ?? 0) > 10e6, `${name}: ${bytes[name]}`)
  }
})

test('pause - a paused server holds its connections and answers after resume', async () => {
  stack.servers.postgres.pause()
  const answer = sql('SELECT 1 AS one')
  const first = await Promise.race([answer, wait(300, 'no answer')])
  stack.servers.postgres.resume()
  assert.equal(first, 'no answer')
  assert.deepEqual(await answer, [{ one: 1 }])
})

test('onCrash - a server that ends by itself is named, one that we kill is not', async () => {
  assert.equal(crashes.length, 0)
  const { s3 } = stack.servers
  process.kill(s3.pid, 'SIGKILL')
  await until(() => crashes.length > 0)
  assert.equal(crashes[0]?.server, 's3')
  assert.equal(crashes[0]?.exit.signal, 'SIGKILL')
  await s3.start()
})

test('stack.spawn - a child that ignores SIGTERM is gone after its bound, with its own child', async () => {
  const child = stack.spawn({
    name: 'stubborn',
    command: 'sh',
    args: ['-c', 'trap "" TERM; sleep 600 & wait; sleep 600'],
    logFile: join(folder, 'stubborn.log'),
  })
  await until(() => familyOf(child.pid).size === 2)
  const family = [...familyOf(child.pid)]
  await child.stop(200)
  assert.deepEqual(family.filter(isAlive), [])
})

test('startStack - refuses the folder that another stack uses', async () => {
  const held = join(folder, 'held')
  mkdirSync(held)
  writeFileSync(join(held, 'churnstream-stack.json'), readFileSync(stampOf(stack.dataDir)))
  writeFileSync(join(held, 'churnstream-stack.pid'), String(process.ppid))
  await assert.rejects(
    startStack({ dataDir: held, ports: 'free', parts: ['postgres'] }),
    new RegExp(`is used by the process ${process.ppid}`),
  )
})

test('startStack - refuses a folder that holds something else', async () => {
  const foreign = join(folder, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'thesis.txt'), 'mine')
  await assert.rejects(
    startStack({ dataDir: foreign, ports: 'free' }),
    /holds something else \(thesis\.txt\)/,
  )
})

test('startStack - refuses a folder of another version', async () => {
  const old = join(folder, 'old')
  mkdirSync(old)
  writeFileSync(stampOf(old), JSON.stringify({ layoutVersion: 0 }))
  await assert.rejects(
    startStack({ dataDir: old, ports: 'free' }),
    /another version .* Delete the folder/,
  )
})

test('startStack - names the port that is taken and who needs it, before anything starts', async () => {
  const taker = createServer()
  const isOurs = await new Promise<boolean>((resolve) => {
    taker.once('error', () => resolve(false)) // someone else has it: that is as good
    taker.listen(19_000, '127.0.0.1', () => resolve(true))
  })
  const dataDir = join(folder, 'never-made')
  await assert.rejects(
    startStack({ dataDir, ports: 'usual', freePortsHint: '--free' }),
    /port 19000, which s3 needs, is taken.*--free/,
  )
  assert.throws(() => readFileSync(stampOf(dataDir)))
  if (isOurs) await new Promise((resolve) => taker.close(resolve))
})

test('startStack - a start that is aborted leaves no process', async () => {
  const ended = new AbortController()
  const dataDir = join(folder, 'aborted')
  const start = startStack({ dataDir, ports: 'free', parts: ['postgres'], signal: ended.signal })
  ended.abort(new Error('changed my mind'))
  await assert.rejects(start, /changed my mind/)
  assert.deepEqual([...familyOf(process.pid)].filter(runsIn(dataDir)), [])
})

test('startStack - an owner killed by kill -9 leaves nothing, and its folder starts again', async () => {
  const dataDir = join(folder, 'killed')
  const parts = ['postgres', 's3'] as const
  const script = `
    const { startStack, familyOf } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))})
    const stack = await startStack({ dataDir: ${JSON.stringify(dataDir)}, ports: 'free',
      parts: ${JSON.stringify(parts)} })
    stack.servers.s3.pause()
    console.log(JSON.stringify([...familyOf(process.pid)]))
    setInterval(() => {}, 1000)`
  const args = ['--input-type=module', '-e', script]
  const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const family = await new Promise<number[]>((resolve, reject) => {
    createInterface({ input: owner.stdout }).once('line', (line) => resolve(JSON.parse(line)))
    owner.once('exit', () => reject(new Error('the owner ended early')))
  })
  // The owner, the reaper, the S3 gateway and PostgreSQL with its own children.
  assert.ok(family.length > 6, `family: ${family.join(' ')}`)
  owner.kill('SIGKILL')
  await until(() => !family.some(isAlive))

  await using again = await startStack({ dataDir, ports: 'free', parts: ['postgres'] })
  assert.ok(again.servers.postgres.pid > 0)
})

async function register(schema: string): Promise<{ id: number }> {
  const response = await fetch(`${stack.registry.url}/subjects/stack-test-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema }),
  })
  assert.equal(response.status, 200)
  return (await response.json()) as { id: number }
}

async function mlflow(method: string, path: string, body?: object) {
  const response = await fetch(`${stack.mlflow.url}/api/2.0/mlflow/${path}`, {
    method,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Record<string, unknown>
}

async function sql(statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: stack.postgres.url('churnstream') })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

function stampOf(dataDir: string): string {
  return join(dataDir, 'churnstream-stack.json')
}

function runsIn(dataDir: string) {
  return (pid: number) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dataDir)
    } catch {
      return false // gone, or a system without /proc
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineAt = Date.now() + boundMs
  while (!condition()) {
    assert.ok(Date.now() < deadlineAt, `not within ${boundMs} ms: ${condition.toString()}`)
    await wait(20)
  }
}
