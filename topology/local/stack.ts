// How do the servers come up together, and go down together?
import { existsSync } from 'node:fs'
import { certificatesIn, makeCertificates } from './certificates.ts'
import type { Context, KafkaListener, KafkaNode, Secured } from './context.ts'
import { connectSecretsDir, connectSpec, connectUrl } from './connect.ts'
import { openDataDir } from './data-dir.ts'
import { rssBytesOf } from './family.ts'
import { kafkaSpec } from './kafka.ts'
import { mlflowSpec, mlflowUser, pythonEnv } from './mlflow.ts'
import { createOwner, type ChildOptions, type OwnedProcess } from './owner.ts'
import { findJava, findPython, serversDir, venvPython } from './places.mjs'
import { choosePorts, freePorts } from './ports.ts'
import { prometheusSpec } from './prometheus.ts'
import { createDatabases, postgresSpec, postgresUrl } from './postgres.ts'
import { registrySpec, registryUrl } from './registry.ts'
import { createBucket, s3Location, s3Spec, type S3Location } from './s3.ts'
import { startServer, type OnCrash, type PartName, type Server, type ServerSpec } from './server.ts'

export type { KafkaListener, Secured } from './context.ts'
export type { PartName } from './server.ts'

const usualParts: PartName[] = ['postgres', 'kafka', 's3', 'registry', 'mlflow']
const furtherBrokers: PartName[] = ['kafka2', 'kafka3']
const allParts: PartName[] = [...usualParts, ...furtherBrokers, 'prometheus', 'connect']
const needs: Record<PartName, PartName[]> = {
  postgres: [],
  kafka: [],
  kafka2: [],
  kafka3: [],
  s3: [],
  registry: ['postgres'],
  mlflow: ['postgres', 's3'],
  prometheus: [],
  connect: ['kafka', 'registry', 'postgres', 's3'],
}

export interface StackOptions {
  dataDir: string
  ports: 'usual' | 'free'
  /** Of Kafka: one, or three that hold every record three times, two of them before it counts. */
  brokers?: 1 | 3
  /** Of each broker; a small one unless told. */
  brokerHeapMb?: number
  /** All but Prometheus and Connect by default. What a part needs is started with it. */
  parts?: PartName[]
  /** Starts Kafka Connect too, with plugins that write into the database `warehouse`. */
  connect?: boolean
  /** Starts Prometheus too, which asks these: host and port by job. */
  scrapes?: Readonly<Record<string, string>>
  /** The broker's own, for clients without a listener of their own, is always there. */
  kafkaListeners?: readonly KafkaListener[]
  /** Kafka and PostgreSQL take TLS too, with certificates made at the start; MLflow asks who calls. */
  secured?: Secured
  /** Ends a start that is under way; a running stack is ended by disposing of it. */
  signal?: AbortSignal
  onProgress?: (line: string) => void
  /** A server ended by itself. Without it the trouble is only seen by who talks to that server. */
  onCrash?: OnCrash
  /** How the caller's user asks for free ports, for the error about a taken one. */
  freePortsHint?: string
}

export interface Stack {
  kafka: { brokers: string[] }
  /** Of the authority that signed what a secured stack shows. */
  caFile: string
  /** The Confluent API. */
  registry: { url: string }
  /** Each of our databases is reached as its owner, any other as the admin. */
  postgres: { url(database: string): string }
  s3: S3Location
  mlflow: { url: string; webhookSecret: string; user?: { username: string; password: string } }
  /** Answers where it was started. */
  prometheus: { url: string }
  /** Answers where it was started. Passwords for it lie in the folder, one file each. */
  connect: { url: string; secretsDir: string }
  /** The interpreter that has the packages of services/training. */
  python: string
  pythonEnv: Record<string, string>
  /** Those that were started; asking for another one throws. */
  servers: Record<PartName, Server>
  dataDir: string
  /** Starts any other program under the same ownership; it ends before the servers do. */
  spawn(options: ChildOptions): OwnedProcess
  /** Resident memory of each started server and its children. */
  rssBytes(): Partial<Record<PartName, number>>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { onProgress = () => {}, onCrash = () => {}, signal } = options
  const startedAt = performance.now()
  const failed = new AbortController()
  const { java, python, servers: jars } = await installed()
  const watched = options.scrapes !== undefined
  const connects = options.connect === true
  const ports = await choosePorts(
    options.ports,
    [...(watched ? [] : (['prometheus'] as const)), ...(connects ? [] : (['connect'] as const))],
    options.freePortsHint,
  )
  const further = options.brokers === 3 ? furtherBrokers : []
  const morePorts = await freePorts(further.length * 2)
  const kafkaNodes: KafkaNode[] = [
    { port: ports.kafka, controllerPort: ports.kafkaController },
    ...further.map((_, index) => ({
      port: morePorts[index * 2] as number,
      controllerPort: morePorts[index * 2 + 1] as number,
    })),
  ]
  const dataDir = openDataDir(options.dataDir)
  const owner = createOwner()
  const context: Context = {
    dataDir,
    ports,
    owner,
    java,
    serversDir: jars,
    python,
    kafkaNodes,
    brokerHeapMb: options.brokerHeapMb,
    kafkaListeners: options.kafkaListeners ?? [],
    secured: options.secured,
    scrapes: options.scrapes ?? {},
    signal: signal ? AbortSignal.any([signal, failed.signal]) : failed.signal,
  }
  const beside: PartName[] = [
    ...(watched ? (['prometheus'] as const) : []),
    ...(connects ? (['connect'] as const) : []),
  ]
  const parts = withNeeds([...(options.parts ?? usualParts), ...further, ...beside])
  const servers: Partial<Record<PartName, Server>> = {}
  const starts = new Map<PartName, Promise<void>>()

  async function close(): Promise<void> {
    await owner[Symbol.asyncDispose]()
    dataDir.release()
  }

  async function start(name: PartName): Promise<void> {
    for (const need of needs[name]) await starts.get(need)
    const partStartedAt = performance.now()
    const spec = await describe[name](context)
    servers[name] = await startServer(spec, owner, context.signal, onCrash)
    await afterStart[name]?.(context)
    onProgress(`${name} is up after ${seconds(partStartedAt)} on port ${spec.port}`)
  }

  try {
    if (context.secured !== undefined) await makeCertificates(context)
    for (const name of parts) starts.set(name, start(name))
    await untilAll([...starts.values()], (error) => failed.abort(error))
  } catch (error) {
    await close()
    throw error
  }
  onProgress(`the stack is up after ${seconds(startedAt)}`)

  return {
    caFile: certificatesIn(dataDir.path).caFile,
    kafka: { brokers: kafkaNodes.map(({ port }) => `127.0.0.1:${port}`) },
    registry: { url: registryUrl(ports.registry) },
    postgres: {
      url: (database) => postgresUrl(ports.postgres, dataDir.secrets.postgresPassword, database),
    },
    s3: s3Location(context),
    mlflow: {
      url: `http://127.0.0.1:${ports.mlflow}`,
      webhookSecret: dataDir.secrets.mlflowWebhookSecret,
      ...(options.secured === undefined ? {} : { user: mlflowUser(options.secured) }),
    },
    prometheus: { url: `http://127.0.0.1:${ports.prometheus}` },
    connect: { url: connectUrl(ports.connect), secretsDir: connectSecretsDir(dataDir.path) },
    python,
    pythonEnv: pythonEnv(context),
    servers: onlyStarted(servers),
    dataDir: dataDir.path,
    spawn: (child) => owner.spawn(child),
    rssBytes() {
      const running = Object.values(servers).map(({ name, pid }) => [name, rssBytesOf(pid)])
      return Object.fromEntries(running) as Partial<Record<PartName, number>>
    },
    [Symbol.asyncDispose]: close,
  }
}

const describe: Record<PartName, (context: Context) => ServerSpec | Promise<ServerSpec>> = {
  postgres: postgresSpec,
  kafka: (context) => kafkaSpec(context, 'kafka', 0),
  kafka2: (context) => kafkaSpec(context, 'kafka2', 1),
  kafka3: (context) => kafkaSpec(context, 'kafka3', 2),
  s3: s3Spec,
  registry: registrySpec,
  mlflow: mlflowSpec,
  prometheus: prometheusSpec,
  connect: connectSpec,
}

const afterStart: Partial<Record<PartName, (context: Context) => Promise<void>>> = {
  postgres: ({ ports, dataDir }) =>
    createDatabases(ports.postgres, dataDir.secrets.postgresPassword),
  s3: (context) => createBucket(s3Location(context)),
}

/** Waits for every start, also after a failure: nothing may be spawned behind the clean-up. */
async function untilAll(starts: Promise<void>[], onFailure: (error: unknown) => void) {
  let first: { error: unknown } | undefined
  const watched = starts.map((start) =>
    start.catch((error: unknown) => {
      first ??= { error }
      onFailure(error)
    }),
  )
  await Promise.all(watched)
  if (first) throw first.error
}

function withNeeds(parts: PartName[]): PartName[] {
  const wanted = new Set(parts.flatMap((part) => [...needs[part], part]))
  return allParts.filter((part) => wanted.has(part))
}

function onlyStarted(servers: Partial<Record<PartName, Server>>): Record<PartName, Server> {
  return new Proxy(servers, {
    get(target, name: PartName) {
      const server = target[name]
      if (!server && allParts.includes(name)) throw new Error(`${name} was not started`)
      return server
    },
  }) as Record<PartName, Server>
}

async function installed() {
  const [{ java, tooOld }, base] = await Promise.all([findJava(), findPython()])
  const servers = serversDir()
  const python = base.python ? venvPython(base.version) : undefined
  if (java && python && existsSync(servers) && existsSync(python)) return { java, python, servers }
  const found = tooOld ? ` (Java found: ${tooOld.join(', ') || 'none'})` : ''
  throw new Error(`The servers are not installed${found}. Run: node topology/local/with-setup.mjs`)
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}
