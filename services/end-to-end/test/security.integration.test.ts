// May everybody on a guarded cluster what it must, and nothing else?
import {
  FatalError,
  createKafkajsKafka,
  createLog,
  messageOf,
  transactionalIdOf,
} from '@churnstream/runtime'
import { until } from '@churnstream/runtime/testing'
import {
  aclRules,
  clusterTopics,
  deadLetterTopic,
  groupOf,
  principals,
  fusedProcessIds,
  hosts,
  processIds,
  readingGroups,
  services,
  soleWriterIdOf,
  topics,
  type Operation,
  type Service,
  type ProcessId,
} from '@churnstream/topology'
import {
  certificatesIn,
  findPython,
  freePorts,
  grantAccess,
  runningVariables,
  venvPython,
  type Stack,
} from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { runCommand } from '../pipeline/command.ts'
import { depositOf } from '../pipeline/deposit.ts'
import { modelName } from '../pipeline/model.ts'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { makeCredentials, type Credentials } from '../security/credentials.ts'
import { openRawBroker, type RawBroker } from '../security/raw-broker.ts'

/** Kafka's codes. */
const refused = { topic: 29, group: 30, cluster: 31, transactionalId: 53 } as const

const folder = mkdtempSync(join(tmpdir(), 'churnstream-security-'))
const dataDir = join(folder, 'data')
const ended = new AbortController()
const failures: string[] = []
let pipeline: Pipeline
let credentials: Credentials

const secrets = {
  database: join(folder, 'secrets', 'database-url'),
  webhooks: join(folder, 'secrets', 'webhook-secrets'),
  mlflow: join(folder, 'secrets', 'mlflow-password'),
  s3: join(folder, 'secrets', 's3-credentials'),
}

/** Every secret of a service in a file, as an installation mounts them. */
function writeSecrets({ postgres, mlflow, s3, caFile }: Stack): void {
  const write = (file: string, text: string) => writeFileSync(file, `${text}\n`, { mode: 0o600 })
  mkdirSync(join(folder, 'secrets'))
  const verified = `sslmode=verify-full&sslrootcert=${caFile}`
  write(secrets.database, `${postgres.url('churnstream')}?${verified}`)
  write(secrets.webhooks, mlflow.webhookSecret)
  write(secrets.mlflow, mlflow.user?.password ?? '')
  const keys = `aws_access_key_id = ${s3.accessKeyId}\naws_secret_access_key = ${s3.secretAccessKey}`
  write(secrets.s3, `[default]\n${keys}`)
}

function variablesOf(id: ProcessId): Record<string, string | undefined> {
  return {
    ...credentials.variables(hosts[id].name),
    // What might be told too much is told.
    LOG_LEVEL: 'debug',
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SHARED_CREDENTIALS_FILE: secrets.s3,
    DATABASE_URL: undefined,
    DATABASE_URL_FILE: secrets.database,
    MLFLOW_TRACKING_PASSWORD: undefined,
    MLFLOW_TRACKING_PASSWORD_FILE: secrets.mlflow,
    WEBHOOK_SECRETS: undefined,
    WEBHOOK_SECRETS_FILE: secrets.webhooks,
  }
}

before(async () => {
  const [kafkaPort = 0] = await freePorts(1)
  const { caFile } = certificatesIn(dataDir)
  credentials = makeCredentials(join(folder, 'passwords'), kafkaPort, caFile)
  pipeline = await startPipeline({
    dataDir,
    ports: 'free',
    modelSize: 'small',
    secured: {
      kafkaPort,
      kafkaPasswords: credentials.passwords,
      mlflowPassword: randomBytes(18).toString('hex'),
    },
    async prepare(stack) {
      await grantAccess(stack.kafka.brokers)
      writeSecrets(stack)
    },
    env: Object.fromEntries([...processIds, ...fusedProcessIds].map((id) => [id, variablesOf(id)])),
    signal: ended.signal,
    onProgress: () => undefined,
    onFailure: (message) => failures.push(message),
  })
})
after(async () => {
  await pipeline?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
  assert.deepEqual(failures, [])
})

async function assertBecomeRows(...ids: readonly [player: string, eventId: string][]) {
  const events = ids.map(([player, eventId]) => depositOf(player, eventId, Date.now()))
  const answer = await fetch(`${pipeline.urls.ingestion}/v1/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${pipeline.apiKey}`,
    },
    body: JSON.stringify({ events }),
  })
  assert.equal(answer.status, 202)
  const client = new Client({ connectionString: pipeline.stack.postgres.url('churnstream') })
  await client.connect()
  try {
    await until('the scores are in PostgreSQL', async () => {
      const { rowCount } = await client.query(
        'SELECT FROM score_history WHERE cause_event_id = ANY ($1)',
        [ids.map(([, eventId]) => eventId)],
      )
      return rowCount === ids.length
    })
  } finally {
    await client.end()
  }
}

test('services - each with its own principal, an event becomes a row', () =>
  assertBecomeRows(['ada', 'ada-1'], ['bob', 'bob-1']))

test('fused - may with its own principal what both may, and they may fence each other', async () => {
  await Promise.all((['features', 'scorer'] as const).map((id) => pipeline.process(id).stop()))
  const together = await pipeline.startReplica('fused')
  await assertBecomeRows(['bob', 'bob-2'])
  await together.kill9()
  await Promise.all((['features', 'scorer'] as const).map((id) => pipeline.restart(id)))
  await assertBecomeRows(['bob', 'bob-3'])
})

const servicesFolder = fileURLToPath(new URL('../../', import.meta.url))

/** A person's command, with everything of the installation but Kafka as the demo leaves it. */
async function command(principal: string, script: string, ...args: string[]): Promise<string> {
  const known = runningVariables({}, dataDir) ?? {}
  const { code, stdout, stderr } = await runCommand(join(servicesFolder, script), args, dataDir, {
    ...known,
    ...credentials.variables(principal),
  })
  assert.equal(code, 0, `${script} ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}

/** What the orchestration finds in retraining-requests, by its own client. */
async function readInDagster(): Promise<string> {
  const base = await findPython()
  assert.ok(base.python)
  const program = [
    'from churn_orchestration.retraining.topics import Topics',
    'import os',
    "where = (os.environ['KAFKA_BOOTSTRAP_SERVERS'], os.environ['SCHEMA_REGISTRY_URL'])",
    'topics = Topics(bootstrap_servers=where[0], registry_url=where[1])',
    "print(topics.newest('retrainingRequests', 10))",
    'from churn_orchestration.retraining.ledger import Ledger',
    "print(Ledger(tracking_uri=os.environ['MLFLOW_TRACKING_URI']).models())",
  ].join('\n')
  const { stdout } = await promisify(execFile)(
    venvPython(base.version, 'orchestration'),
    ['-c', program],
    {
      env: {
        ...runningVariables({}, dataDir),
        ...credentials.variables('orchestration'),
        PYTHONPATH: join(servicesFolder, 'orchestration', 'src'),
      },
    },
  )
  return stdout
}

test('commands - each does its work with its own principal', async () => {
  assert.match(await command('dead-letters', 'dead-letters/src/main.ts', 'list', '--json'), /\[/)
  const model = 'model-cli/src/main.ts'
  const market = modelName.slice('churn-'.length)
  assert.match(await command('model-cli', model, 'status', '--json'), /"scorers"|replicas|live/)
  await command('model-cli', model, 'retrain', market, '--why', 'a test')
  const until = new Date(Date.now() + 60_000).toISOString()
  const range = ['--from', '2020-01-01', '--to', until, '--model', `models:/${modelName}/1`]
  const scores = ['scores', ...range, '--to-target', 'topic', '--id', 'a-test', '--json']
  const replayed = await command('replay', 'replay/src/main.ts', ...scores)
  assert.match(replayed, /"id":"a-test"/)
  const proved = await command('privacy', 'privacy/src/main.ts', 'erase', 'ada', '--json')
  assert.match(proved, /"requests":\["/)
  const verified = await command('verifier', 'verifier/src/main.ts', '--sample', '0', '--json')
  assert.deepEqual((JSON.parse(verified) as { breaches: unknown[] }).breaches, [])
  const readBy = await readInDagster()
  assert.match(readBy, /'requestedBy': 'person'/)
  assert.match(readBy, /Model\(name='churn-default'/)
})

test('a wrong password, an unknown authority or no TLS - nobody comes in', async () => {
  const own = credentials.connection('features')
  const log = createLog('stranger', 'silent')
  const guessing = createKafkajsKafka({
    ...own,
    sasl: { username: 'features', password: 'a guess' },
    clientId: 'stranger',
    log,
  })
  await assert.rejects(
    guessing.endOffsets(topics.playerActivity.name),
    (error) => error instanceof FatalError && /invalid credentials/.test(messageOf(error)),
  )
  await guessing.close()
  await assert.rejects(openRawBroker({ ...own, tls: {} }), /self-signed|unable to verify|issuer/)
  const { tls: _, ...plain } = own
  await assert.rejects(openRawBroker(plain), /onnection/)
})

test('PostgreSQL - is entered over TLS that the client verifies', async () => {
  const { stack } = pipeline
  const url = (query: string) => `${stack.postgres.url('churnstream')}?${query}`
  const verified = `sslmode=verify-full&sslrootcert=${stack.caFile}`
  const client = new Client({ connectionString: url(verified) })
  await client.connect()
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  await client.end()
  assert.deepEqual(rows, [{ ssl: true }])
  const trusting = new Client({ connectionString: url('sslmode=verify-full') })
  await assert.rejects(trusting.connect(), /self-signed|unable to verify|issuer/)
})

test('MLflow - answers only whom it knows', async () => {
  const { url, user } = pipeline.stack.mlflow
  const search = `${url}/api/2.0/mlflow/registered-models/search`
  const ask = async (password?: string) => {
    const pair = Buffer.from(`${user?.username}:${password}`).toString('base64')
    const headers = password === undefined ? {} : { authorization: `Basic ${pair}` }
    return (await fetch(search, { headers })).status
  }
  assert.deepEqual([await ask(), await ask('a guess'), await ask(user?.password)], [401, 401, 200])
})

test('secrets - stand in no log, metric, dead letter, record or header', async () => {
  const { stack, kafka, urls, apiKey } = pipeline
  const { name } = topics.playerActivity
  const producer = await kafka.openProducer()
  await producer.send([{ topic: name, partition: 0, key: 'mallory', value: Buffer.from('poison') }])
  await producer.close()
  const stranger = { authorization: `Bearer stranger.${apiKey.slice(apiKey.indexOf('.') + 1)}` }
  await fetch(`${urls.ingestion}/v1/events`, { method: 'POST', headers: stranger })
  await fetch(`${urls.registryBridge}/webhooks/mlflow`, { method: 'POST', body: '{}' })

  const letters = deadLetterTopic(topics.playerActivity)
  await until('the poison is a dead letter', async () =>
    (await kafka.endOffsets(letters)).some((offset) => offset > 0n),
  )
  const places = new Map<string, string>()
  for (const folderName of ['service-logs', 'logs']) {
    for (const file of readdirSync(join(dataDir, folderName))) {
      places.set(`${folderName}/${file}`, readFileSync(join(dataDir, folderName, file), 'utf8'))
    }
  }
  for (const id of processIds) {
    for (const path of ['/metrics', '/health/ready']) {
      places.set(`${id}${path}`, await (await fetch(`${urls[id]}${path}`)).text())
    }
  }
  for (const topic of clusterTopics()) {
    const texts: string[] = []
    for (let partition = 0; partition < topic.partitions; partition++) {
      for await (const records of kafka.read(topic.name, partition)) {
        for (const { key, value, headers } of records) {
          const held = Object.entries(headers).flatMap(([header, text]) => [
            header,
            text.toString(),
          ])
          texts.push(key?.toString() ?? '', value?.toString('latin1') ?? '', ...held)
        }
      }
    }
    places.set(`topic ${topic.name}`, texts.join('\n'))
  }
  // What is looked through holds what it should: none of it is empty.
  for (const id of processIds) {
    assert.match(places.get(`service-logs/${services[id].name}.log`) ?? '', /"service":/)
    assert.match(places.get(`${id}/metrics`) ?? '', /churnstream_/)
  }
  assert.match(places.get(`topic ${letters}`) ?? '', /dlq\.reason/)
  assert.match(places.get(`topic ${topics.churnScores.name}`) ?? '', /ada/)

  const { password: postgresPassword } = new URL(stack.postgres.url('churnstream'))
  const canaries = {
    ...credentials.passwords,
    'the API key': apiKey.slice(apiKey.indexOf('.') + 1),
    'the webhook secret': stack.mlflow.webhookSecret,
    "MLflow's password": stack.mlflow.user?.password ?? '',
    "S3's secret": stack.s3.secretAccessKey,
    "PostgreSQL's password": postgresPassword,
  }
  const found = [...places].flatMap(([place, text]) =>
    Object.entries(canaries)
      .filter(([, secret]) => text.includes(secret))
      .map(([what]) => `${what} in ${place}`),
  )
  assert.deepEqual(found, [])
})

const ids = [
  ...Object.values(services).flatMap((service: Service) => {
    const [topic] = service.consumes
    return topic === undefined ? [] : [transactionalIdOf(service, topic, 0)]
  }),
  soleWriterIdOf(services.registryBridge.name),
  soleWriterIdOf('dead-letters'),
  'churnstream.replay.some-run.plan',
  'anything',
]
const groups = [
  ...Object.values(services).flatMap((service: Service) =>
    service.consumes.length > 0 ? [groupOf(service)] : [],
  ),
  ...Object.values(readingGroups),
  'replay.some-run',
  'connect-scores',
  'anything',
]
const names = clusterTopics().map(({ name }) => name)

function may(principal: string, resource: string, name: string, operation: Operation): boolean {
  return aclRules().some(
    (rule) =>
      rule.principal === principal &&
      rule.resource === resource &&
      rule.operations.includes(operation) &&
      (rule.pattern === 'literal' ? rule.name === name : name.startsWith(rule.name)),
  )
}

interface Attempt {
  readonly what: string
  readonly expected: number
  readonly make: (broker: RawBroker) => Promise<number>
}

/** Everything that the principal was not granted. */
function forbidden(principal: string): Attempt[] {
  const unless = (
    resource: keyof typeof refused,
    operation: Operation,
    all: readonly string[],
    make: (broker: RawBroker, name: string) => Promise<number>,
  ): Attempt[] =>
    all
      .filter((name) => !may(principal, resource, name, operation))
      .map((name) => ({
        what: `${operation} ${resource} ${name}`,
        expected: refused[resource],
        make: (broker) => make(broker, name),
      }))
  const onTopics = [...names, '__consumer_offsets', '__transaction_state']
  return [
    ...unless('topic', 'Read', onTopics, (broker, name) => broker.read(name)),
    ...unless('topic', 'Write', onTopics, (broker, name) => broker.write(name)),
    ...unless('topic', 'Describe', onTopics, (broker, name) => broker.describe(name)),
    ...unless('topic', 'Create', [...names, 'anything'], (broker, name) => broker.create(name)),
    ...unless('topic', 'AlterConfigs', names, (broker, name) => broker.configure(name)),
    ...unless('group', 'Read', groups, (broker, name) => broker.join(name)),
    ...unless('group', 'Describe', groups, (broker, name) =>
      broker.offsets(name, topics.playerActivity.name),
    ),
    ...unless('transactionalId', 'Write', ids, (broker, name) => broker.initProducer(name)),
    ...names.map((name) => ({
      what: `Delete topic ${name}`,
      expected: refused.topic,
      make: (broker: RawBroker) => broker.remove(name),
    })),
    {
      what: 'Alter cluster',
      expected: refused.cluster,
      make: (broker) => broker.grant(principal),
    },
    {
      what: 'Describe cluster',
      expected: refused.cluster,
      make: (broker) => broker.listAccess(),
    },
  ]
}

for (const { name: principal } of principals()) {
  test(`${principal} - is refused all that it was not granted, and nothing of what it reads`, async () => {
    await using broker = await openRawBroker(credentials.connection(principal))
    const wrong: string[] = []
    for (const { what, expected, make } of forbidden(principal)) {
      const code = await make(broker)
      if (code !== expected) wrong.push(`${what}: ${code} instead of ${expected}`)
    }
    for (const name of names.filter((one) => may(principal, 'topic', one, 'Read'))) {
      const code = await broker.read(name)
      if (code !== 0) wrong.push(`Read topic ${name}: ${code}`)
    }
    assert.deepEqual(wrong, [])
  })
}
