// How does the whole pipeline come up on one machine: servers, topics, model, services?
import { makeApiKey } from '@churnstream/ingestion'
import { createKafkajsKafka, createLog, messageOf, type Kafka } from '@churnstream/runtime'
import {
  clusterTopics,
  hosts,
  processIds,
  warehouse,
  warehousePort,
  type ProcessId,
} from '@churnstream/topology'
import {
  chooseDagsterPort,
  rssBytesOf,
  startDagster,
  startStack,
  tailOf,
  type Dagster,
  type KafkaListener,
  type OwnedProcess,
  type Secured,
  type Stack,
} from '@churnstream/topology/local'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openEnvironment } from './environment.ts'
import { ensureModel, type Lesson, type ModelSize } from './model.ts'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
const readyWithinMs = 180_000

export interface PipelineOptions {
  readonly dataDir: string
  readonly ports: 'usual' | 'free'
  /** What the first champion learns from, when there is none yet. */
  readonly modelSize: ModelSize | Lesson
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
  /** A server or service ended by itself: the pipeline is broken. */
  readonly onFailure: (message: string) => void
  /** All by default. */
  readonly services?: readonly ProcessId[]
  /** Started too when it is given, with these variables; the set-up must have installed it. */
  readonly dagster?: Readonly<Record<string, string>> | undefined
  /** Starts Prometheus too, over these services. */
  readonly monitoring?: boolean
  /** Starts Kafka Connect too, and what keeps its connectors. */
  readonly warehouse?: boolean
  /** Of Kafka. */
  readonly brokers?: 1 | 3
  /** Of each broker; a small one unless told. */
  readonly brokerHeapMb?: number
  readonly kafkaListeners?: readonly KafkaListener[]
  readonly secured?: Secured
  /** Called when the servers are up and the topics there, before any service is started. */
  readonly prepare?: (stack: Stack) => Promise<void>
  /** Whose code runs; this repository's unless told. */
  readonly repository?: string
  /** Added to the environment of a service; undefined takes a variable away. */
  readonly env?: Partial<Record<ProcessId, Record<string, string | undefined>>>
}

export interface Pipeline extends AsyncDisposable {
  readonly stack: Stack
  readonly kafka: Kafka
  readonly dagster: Dagster | undefined
  /** Base URL of each service's HTTP server. */
  readonly urls: Readonly<Record<ProcessId, string>>
  /** What ingestion lets in; also in the data folder, as `api-key`. */
  readonly apiKey: string
  /** The running process of a service. */
  process(service: ProcessId): OwnedProcess
  /** Starts a service again that was stopped or killed, and waits until it is ready. */
  restart(service: ProcessId, env?: Record<string, string>): Promise<void>
  /** Another process of a service beside the one there is, ready. */
  startReplica(service: ProcessId): Promise<OwnedProcess>
  /** Resident bytes of each server and service. */
  rssBytes(): Record<string, number>
}

/** @throws Error with what is missing or taken and what to do; nothing is left running then */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { dataDir, ports, signal, onProgress, onFailure } = options
  const ids = options.services ?? processIds
  const servicePorts = await chooseServicePorts(ids, ports)
  const dagsterPort = options.dagster ? await chooseDagsterPort(ports) : undefined
  const processes = new Map<ProcessId, OwnedProcess>()
  await using cleanUp = new AsyncDisposableStack()

  const stack = cleanUp.use(
    await startStack({
      dataDir,
      ports,
      signal,
      onProgress,
      freePortsHint: '--free-ports',
      brokers: options.brokers ?? 1,
      ...(options.brokerHeapMb === undefined ? {} : { brokerHeapMb: options.brokerHeapMb }),
      kafkaListeners: options.kafkaListeners ?? [],
      ...(options.secured === undefined ? {} : { secured: options.secured }),
      connect: options.warehouse === true,
      ...(options.monitoring === true ? { scrapes: scrapesOf(ids, servicePorts) } : {}),
      onCrash: (server, { exit, logTail }) => onFailure(ended(server.name, exit, logTail)),
    }),
  )
  const logDir = join(dataDir, 'service-logs')
  mkdirSync(logDir, { recursive: true })
  const log = createLog('pipeline', 'error')
  const kafka = createKafkajsKafka({ brokers: stack.kafka.brokers, clientId: 'pipeline', log })
  cleanUp.defer(() => kafka.close())
  await kafka.ensureTopics(clusterTopics())
  await options.prepare?.(stack)
  await ensureModel({ stack, dataDir, size: options.modelSize, signal, onProgress })

  const urls = Object.fromEntries(
    ids.map((id) => [id, `http://127.0.0.1:${servicePorts[id]}`]),
  ) as Record<ProcessId, string>
  const { apiKey, apiKeysFile } = writeApiKey(dataDir)
  const environment = openEnvironment(stack, dataDir)
  cleanUp.defer(() => environment.close())
  const ownVariables = (id: ProcessId): Record<string, string> => ({
    HTTP_PORT: String(servicePorts[id]),
    POLL_INTERVAL_MS: '2000',
    REPORT_INTERVAL_MS: '5000',
    WEBHOOK_URL: `${urls.registryBridge}/webhooks/mlflow`,
    WEBHOOK_SECRETS: stack.mlflow.webhookSecret,
    // Event time is simulated: the simulator writes the clock records.
    CLOCK_INTERVAL_MS: '0',
    API_KEYS_FILE: apiKeysFile,
  })
  const from = options.repository ?? repository
  const spawn = (id: ProcessId, env: Record<string, string> = {}): OwnedProcess =>
    stack.spawn({
      name: hosts[id].name,
      command: process.execPath,
      args: [join(from, 'services', hosts[id].name, 'src', 'main.ts')],
      logFile: join(logDir, `${hosts[id].name}.log`),
      env: { ...environment.variables, ...ownVariables(id), ...options.env?.[id], ...env },
    })
  const failWhenEnded = (child: OwnedProcess): void => {
    void child.exited.then((exit) => {
      if (!exit.asked && !signal.aborted) onFailure(ended(child.name, exit, tailOf(child.logFile)))
    })
  }
  const start = (id: ProcessId, env?: Record<string, string>): void => {
    const child = spawn(id, env)
    processes.set(id, child)
    failWhenEnded(child)
  }
  ids.forEach((id) => start(id))
  await Promise.all(ids.map((id) => untilReady(hosts[id].name, urls[id], signal)))
  onProgress('all services are ready')
  let keeper: OwnedProcess | undefined
  if (options.warehouse === true) {
    const port = await chooseWarehousePort(ports)
    keeper = spawnWarehouse(stack, options, port)
    failWhenEnded(keeper)
    await untilReady(warehouse, `http://127.0.0.1:${port}`, signal)
    onProgress('the warehouse is filled from now on')
  }
  const dagster =
    dagsterPort === undefined
      ? undefined
      : await startDagster({
          owner: stack,
          port: dagsterPort,
          variables: { ...environment.variables, ...options.dagster },
          signal,
          onProgress,
          onCrash: (name, { exit, logTail }) => onFailure(ended(name, exit, logTail)),
        })

  const owned = cleanUp.move()
  return {
    stack,
    kafka,
    dagster,
    urls,
    apiKey,
    process: (id) => processes.get(id) as OwnedProcess,
    async restart(id, env) {
      start(id, env)
      await untilReady(hosts[id].name, urls[id], signal)
    },
    async startReplica(id) {
      const { port, release } = await holdPort(0, hosts[id].name)
      await release()
      const child = spawn(id, { HTTP_PORT: String(port) })
      await untilReady(hosts[id].name, `http://127.0.0.1:${port}`, signal)
      return child
    },
    rssBytes() {
      const own = [...processes].map(([id, { pid }]) => [hosts[id].name, rssBytesOf(pid)] as const)
      const orchestration = dagster === undefined ? {} : { dagster: dagster.rssBytes() }
      const filling = keeper === undefined ? {} : { [warehouse]: rssBytesOf(keeper.pid) }
      return { ...stack.rssBytes(), ...Object.fromEntries(own), ...filling, ...orchestration }
    },
    async [Symbol.asyncDispose]() {
      // Together, so that the drains overlap; the servers outlive them.
      await Promise.all([...processes.values()].map((child) => child.stop()))
      await owned.disposeAsync()
    },
  }
}

/** A new key at every start, for whoever can read the folder. */
function writeApiKey(dataDir: string): { apiKey: string; apiKeysFile: string } {
  const { key, entry } = makeApiKey('demo', { eventsPerSecond: 1e6, burstEvents: 1e6 })
  const apiKeysFile = join(dataDir, 'api-keys.json')
  writeFileSync(apiKeysFile, `${JSON.stringify({ keys: [entry] }, null, 2)}\n`, { mode: 0o600 })
  writeFileSync(join(dataDir, 'api-key'), `${key}\n`, { mode: 0o600 })
  return { apiKey: key, apiKeysFile }
}

async function chooseWarehousePort(ports: PipelineOptions['ports']): Promise<number> {
  const { port, release } = await holdPort(ports === 'usual' ? warehousePort : 0, warehouse)
  await release()
  return port
}

/** Makes the tables and keeps Kafka Connect's connectors running. */
function spawnWarehouse(
  stack: Stack,
  { dataDir, repository: from = repository }: PipelineOptions,
  port: number,
): OwnedProcess {
  return stack.spawn({
    name: warehouse,
    command: process.execPath,
    args: [join(from, 'services', warehouse, 'src', 'main.ts')],
    logFile: join(dataDir, 'service-logs', 'warehouse.log'),
    env: {
      CONNECT_URL: stack.connect.url,
      CONNECT_SECRETS_DIR: stack.connect.secretsDir,
      DATABASE_URL: stack.postgres.url(warehouse),
      HTTP_PORT: String(port),
    },
  })
}

/** A service's job is its name, as in observability/. */
const scrapesOf = (ids: readonly ProcessId[], ports: Record<ProcessId, number>) =>
  Object.fromEntries(ids.map((id) => [hosts[id].name, `127.0.0.1:${ports[id]}`]))

async function untilReady(name: string, url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + readyWithinMs
  let last = 'it did not answer'
  while (Date.now() < deadline) {
    signal.throwIfAborted()
    try {
      const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })
      if (response.ok) return
      last = await response.text()
    } catch (error) {
      last = messageOf(error)
    }
    await delay(50)
  }
  throw new Error(`${name} was not ready within ${readyWithinMs / 1000} s: ${last}`)
}

function ended(
  name: string,
  exit: { code: number | null; signal: string | null },
  tail: string,
): string {
  return `${name} ended by itself (${exit.signal ?? `status ${exit.code}`}). Its log ends:\n${tail}`
}

async function chooseServicePorts(
  ids: readonly ProcessId[],
  kind: 'usual' | 'free',
): Promise<Record<ProcessId, number>> {
  const chosen = {} as Record<ProcessId, number>
  const held: (() => Promise<void>)[] = []
  try {
    for (const id of ids) {
      const wanted = kind === 'usual' ? hosts[id].port : 0
      const { port, release } = await holdPort(wanted, hosts[id].name)
      chosen[id] = port
      held.push(release)
    }
  } finally {
    await Promise.all(held.map((release) => release()))
  }
  return chosen
}

function holdPort(
  port: number,
  name: string,
): Promise<{ port: number; release: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = `port ${port}, which ${name} needs, is taken: stop what uses it or add --free-ports`
      reject(error.code === 'EADDRINUSE' ? new Error(taken) : error)
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as { port: number }
      const release = () => new Promise<void>((done) => server.close(() => done()))
      resolve({ port: address.port, release })
    })
  })
}
