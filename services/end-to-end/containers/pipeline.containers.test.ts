// Does the system run from its images, without rights and without a place to write to?
import { createKafkajsKafka, createLog } from '@churnstream/runtime'
import { makeApiKey } from '@churnstream/ingestion'
import { clusterTopics, services, warehouse, warehousePort } from '@churnstream/topology'
import { freePorts, startStack, type Stack } from '@churnstream/topology/local'
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  GenericContainer,
  PullPolicy,
  Wait,
  getContainerRuntimeClient,
  type ContainerRuntimeClient,
  type StartedTestContainer,
} from 'testcontainers'
import { buildImages, hasLocalBase, images } from '../../../images/build.ts'
import { ensureModel } from '../pipeline/model.ts'
import { rowsOf } from '../pipeline/rows.ts'

process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'

const nobody = '65532:65532'
const tag = 'test'
/** What a service may take from SIGTERM to its end: less than Kubernetes gives it. */
const stopWithinMs = 30_000
const startWithinMs = 300_000
const events = 200

const engine: ContainerRuntimeClient | undefined = await getContainerRuntimeClient().catch(
  () => undefined,
)
const skip = engine === undefined ? 'there is no Docker engine' : false
if (engine === undefined)
  console.log('There is no Docker engine: the tests in containers are skipped.')

const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-containers-'))
const running: StartedTestContainer[] = []
const onProgress = (line: string) => console.log(line)
let stack: Stack
let environment: Record<string, string>

before(async () => {
  if (engine === undefined) return
  await buildImages({ tag, isLocal: await hasLocalBase(), onProgress })
  stack = await startStack({ dataDir, ports: 'free', connect: true, onProgress })
  const { signal } = new AbortController()
  await ensureModel({ stack, dataDir, size: 'small', signal, onProgress })
  environment = {
    ...stack.pythonEnv,
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
    SCHEMA_REGISTRY_URL: stack.registry.url,
    MLFLOW_TRACKING_URI: stack.mlflow.url,
    S3_ENDPOINT: stack.s3.endpoint,
    AWS_REGION: stack.s3.region,
    CLOCK_INTERVAL_MS: '0',
    POLL_INTERVAL_MS: '1000',
  }
})
after(async () => {
  for (const container of running) await container.stop()
  await stack?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

interface Start {
  readonly image: string
  readonly command?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memory?: number
  readonly mounts?: { source: string; target: string; mode: 'ro' | 'rw' }[]
}

/** As compose and Kubernetes run it: no rights, and nothing to write to but a small /tmp. */
class Restricted extends GenericContainer {
  constructor({ image, command, env, mounts = [], memory = 1 }: Start) {
    super(`${image}:${tag}`)
    this.hostConfig.ReadonlyRootfs = true
    this.withPullPolicy(PullPolicy.neverPull())
      .withNetworkMode('host')
      .withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      .withTmpFs({ '/tmp': 'rw,size=256m,mode=1777' })
      .withResourcesQuota({ memory })
      .withBindMounts(mounts)
      .withEnvironment(env)
      .withStartupTimeout(startWithinMs)
    if (command !== undefined) this.withCommand([...command])
  }
}

async function startHealthy(start: Start): Promise<StartedTestContainer> {
  const startedAt = performance.now()
  const container = await new Restricted(start).withWaitStrategy(Wait.forHealthCheck()).start()
  running.push(container)
  const what = start.command?.find((part) => part.endsWith('main.ts')) ?? start.image
  onProgress(`${what}: healthy after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return container
}

async function runToEnd(start: Start): Promise<void> {
  await new Restricted(start).withWaitStrategy(Wait.forOneShotStartup()).start()
}

async function logsOf(container: StartedTestContainer): Promise<string> {
  const lines: string[] = []
  for await (const line of await container.logs()) lines.push(String(line))
  return lines.slice(-20).join('')
}

/** SIGTERM, and the status that it ends with. */
async function stopped(container: StartedTestContainer, name: string): Promise<number> {
  const startedAt = performance.now()
  const handle = (engine as ContainerRuntimeClient).container.getById(container.getId())
  await handle.stop({ t: stopWithinMs / 1000 })
  const { State } = await handle.inspect()
  onProgress(`${name}: stopped after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  if (State.ExitCode !== 0) onProgress(await logsOf(container))
  return State.ExitCode
}

const rowsIn = (database: string, statement: string): Promise<Record<string, unknown>[]> =>
  rowsOf(stack.postgres.url(database), statement)

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within 120 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

test('images - run as nobody, say what they are and whether they are well', { skip }, async () => {
  for (const { name } of images) {
    const image = (engine as ContainerRuntimeClient).container.dockerode.getImage(`${name}:${tag}`)
    const { Config } = await image.inspect()
    assert.equal(Config.User, nobody, name)
    assert.ok((Config.Healthcheck?.Test ?? []).length > 1, `${name} has no health check`)
    for (const label of ['title', 'licenses', 'revision']) {
      assert.ok(Config.Labels[`org.opencontainers.image.${label}`], `${name}: ${label}`)
    }
  }
})

test('images - hold nothing that builds or installs', { skip }, async () => {
  const tools = 'npm npx yarn corepack pip pip3 gcc g++ cc make mvn javac git curl wget'
  for (const { name } of images) {
    const found = new Restricted({ image: name, env: {} })
      .withEntrypoint(['sh', '-c'])
      .withCommand([`for tool in ${tools}; do ! command -v $tool || exit 1; done`])
      .withWaitStrategy(Wait.forOneShotStartup())
    await found.start()
  }
})

test(
  'the pipeline in containers - topics, events, scores, rows of the warehouse',
  { skip },
  async () => {
    // The stack itself made none.
    await runToEnd({
      image: 'churnstream/services',
      command: ['services/topic-admin/src/main.ts'],
      env: environment,
    })
    const log = createLog('containers', 'silent')
    const kafka = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'containers', log })
    for (const { name, partitions } of clusterTopics()) {
      // A new partition has no leader for a moment.
      await until(name, async () => (await kafka.endOffsets(name)).length === partitions)
    }
    await kafka.close()

    const { key, entry } = makeApiKey('containers', { eventsPerSecond: 1e6, burstEvents: 1e6 })
    writeFileSync(join(dataDir, 'api-keys.json'), JSON.stringify({ keys: [entry] }), {
      mode: 0o644,
    })
    chmodSync(dataDir, 0o755)
    const ids = ['ingestion', 'features', 'scorer', 'registryBridge', 'sinks'] as const
    const ports = await freePorts(ids.length + 1)
    const started = new Map<string, StartedTestContainer>()
    await Promise.all(
      ids.map(async (id, index) => {
        const { name } = services[id]
        const own: Record<string, string> = { HTTP_PORT: String(ports[index]) }
        if (id === 'ingestion') own['API_KEYS_FILE'] = '/run/secrets/api-keys.json'
        if (id === 'sinks') own['DATABASE_URL'] = stack.postgres.url('churnstream')
        const container = await startHealthy({
          image: 'churnstream/services',
          command: [`services/${name}/src/main.ts`],
          env: { ...environment, ...own },
          memory: 2,
          mounts: [
            {
              source: join(dataDir, 'api-keys.json'),
              target: '/run/secrets/api-keys.json',
              mode: 'ro',
            },
          ],
        })
        started.set(name, container)
      }),
    )
    started.set(
      warehouse,
      await startHealthy({
        image: 'churnstream/services',
        command: [`services/${warehouse}/src/main.ts`],
        env: {
          CONNECT_URL: stack.connect.url,
          CONNECT_SECRETS_DIR: stack.connect.secretsDir,
          DATABASE_URL: stack.postgres.url(warehouse),
          HTTP_PORT: String(ports[ids.length] ?? warehousePort),
        },
      }),
    )

    const occurredAt = Date.now()
    const body = Array.from({ length: events }, (_, n) => ({
      eventId: `c-${n}`,
      kind: 'deposit',
      playerId: `p-${n % 20}`,
      market: 'us-nj',
      occurredAt: occurredAt - (events - n) * 1_000,
      amount: 10,
    }))
    const response = await fetch(`http://127.0.0.1:${ports[0]}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ events: body }),
    })
    assert.equal(response.status, 202, await response.clone().text())
    const count = (table: string) =>
      `SELECT count(*)::int AS rows, count(DISTINCT cause_event_id)::int AS causes FROM ${table}
      WHERE cause_event_id LIKE 'c-%'`
    const whole = { rows: events, causes: events }
    for (const [database, table] of [
      ['churnstream', 'score_history'],
      [warehouse, `${warehouse}.score_history`],
    ] as const) {
      await until(`${events} rows in ${table}`, async () => {
        return (await rowsIn(database, count(table)))[0]?.['causes'] === events
      })
      assert.deepEqual((await rowsIn(database, count(table)))[0], whole, table)
    }
    onProgress(`${events} events became ${events} scores in PostgreSQL and in the warehouse`)

    for (const [name, container] of started) {
      assert.equal(await stopped(container, name), 0, `${name} did not end in order`)
    }
  },
)

test('the image of Kafka Connect - joins the cluster and answers', { skip }, async () => {
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const container = await new Restricted({
    image: 'churnstream/connect',
    memory: 1.5,
    env: {
      KAFKA_BOOTSTRAP_SERVERS: stack.kafka.brokers.join(','),
      APICURIO_REGISTRY_URL: stack.registry.url.replace('/ccompat/v7', '/registry/v2'),
      CONNECT_LISTENERS: url,
      CONNECT_ADVERTISED_HOST: '127.0.0.1',
      WAREHOUSE_JDBC_URL: 'jdbc:postgresql://127.0.0.1/warehouse?sslmode=disable',
      WAREHOUSE_USER: warehouse,
      WAREHOUSE_S3_ENDPOINT: stack.s3.endpoint,
      WAREHOUSE_S3_LOCATION: `s3://${stack.s3.bucket}/iceberg`,
      WAREHOUSE_COMMIT_INTERVAL_MS: '60000',
    },
  })
    .withWaitStrategy(Wait.forLogMessage(/.*/))
    .start()
  running.push(container)
  await until('plugins', async () => {
    const plugins = (await (await fetch(`${url}/connector-plugins`)).json()) as { class: string }[]
    return plugins.some((plugin) => plugin.class.endsWith('JdbcSinkConnector'))
  })
})

test('the images of MLflow and Dagster - serve what the local ones serve', { skip }, async () => {
  const [mlflowPort = 0, dagsterPort = 0] = await freePorts(2)
  const mlflow = await startHealthy({
    image: 'churnstream/mlflow',
    memory: 1.5,
    env: { ...environment, HEALTHCHECK_URL: `http://127.0.0.1:${mlflowPort}/health` },
    command: [
      'python',
      '-m',
      'mlflow',
      'server',
      '--host=127.0.0.1',
      `--port=${mlflowPort}`,
      `--backend-store-uri=${stack.postgres.url('mlflow')}`,
      `--default-artifact-root=s3://${stack.s3.bucket}/mlflow`,
      '--no-serve-artifacts',
      '--workers=1',
    ],
  })
  const path = '/api/2.0/mlflow/registered-models/alias?name=churn-default&alias=champion'
  const answer = await fetch(`http://127.0.0.1:${mlflowPort}${path}`)
  assert.equal(answer.status, 200, await answer.text())
  assert.equal(await stopped(mlflow, 'mlflow'), 0)

  const env = {
    ...environment,
    DAGSTER_HOME: '/tmp',
    DAGSTER_PG_URL: stack.postgres.url('dagster'),
    DATABASE_URL: stack.postgres.url('churnstream'),
    S3_BUCKET: stack.s3.bucket,
    HEALTHCHECK_URL: `http://127.0.0.1:${dagsterPort}/server_info`,
  }
  const prepare = ['python', '-m', 'churn_orchestration.prepare']
  const mounts = [
    {
      source: join(import.meta.dirname, '../../orchestration/instance/dagster.yaml'),
      target: '/tmp/dagster.yaml',
      mode: 'ro' as const,
    },
  ]
  await runToEnd({ image: 'churnstream/dagster', command: prepare, env, mounts, memory: 2 })
  await startHealthy({
    image: 'churnstream/dagster',
    env,
    mounts,
    memory: 2,
    command: [
      'python',
      '-m',
      'dagster_webserver',
      '-m',
      'churn_orchestration.definitions',
      '-h',
      '127.0.0.1',
      '-p',
      String(dagsterPort),
    ],
  })
})
