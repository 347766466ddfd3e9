// How does Dagster run: its page, and the one daemon that schedules, listens and starts runs?
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { lock } from './data-dir.ts'
import { rssBytesOf } from './family.ts'
import { tailOf, type ChildOptions, type OwnedProcess, type Owner } from './owner.ts'
import { findPython, repositoryDir, venvPython } from './places.mjs'
import { startServer, type Crash, type Server, type ServerSpec } from './server.ts'

const answerTimeoutMs = 5_000
const readyPollMs = 250
const readyWithinMs = 90_000
const definitions = ['-m', 'churn_orchestration.definitions']
const folder = join(repositoryDir, 'services', 'orchestration')

/** What Dagster needs from the environment, beside the variables of the commands that it runs. */
export const dagsterVariables = [
  'DAGSTER_HOME',
  'DAGSTER_PG_URL',
  'DATABASE_URL',
  'KAFKA_BOOTSTRAP_SERVERS',
  'MLFLOW_TRACKING_URI',
  'S3_BUCKET',
  'SCHEMA_REGISTRY_URL',
] as const

export interface DagsterOptions {
  readonly owner: Pick<Owner, 'spawn'>
  readonly port: number
  /** `dagsterVariables` and whatever reaches the servers of the installation. */
  readonly variables: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
  /** One of the two ended by itself. */
  readonly onCrash: (name: string, crash: Crash) => void
}

export interface Dagster {
  readonly url: string
  readonly webserver: Server
  readonly daemon: OwnedProcess
  rssBytes(): number
}

/**
 * Starts both and waits until every part of the daemon has answered. They end with their owner.
 * @throws Error with what is missing, or with the end of the log of what did not start
 */
export async function startDagster(options: DagsterOptions): Promise<Dagster> {
  const { owner, port, signal, onProgress, onCrash } = options
  const startedAt = performance.now()
  const python = await installedPythons()
  const home = openHome(options.variables['DAGSTER_HOME'] as string)
  const env = {
    ...options.variables,
    PYTHONPATH: join(folder, 'src'),
    PYTHONUNBUFFERED: '1',
    CHURNSTREAM_HOME: repositoryDir,
    TRAINING_PYTHON: python.training,
  }
  const logs = join(home, 'logs')
  const child = (name: string, args: string[]): ChildOptions => ({
    name,
    command: python.orchestration,
    args,
    cwd: home,
    logFile: join(logs, `${name}.log`),
    env,
  })

  // Alone: the two servers would both make the tables, and one of them would fail.
  await untilEnded(owner.spawn(child('dagster-prepare', ['-m', 'churn_orchestration.prepare'])))
  const url = `http://127.0.0.1:${port}`
  const address = ['-h', '127.0.0.1', '-p', String(port)]
  const spec: ServerSpec = {
    ...child('dagster', ['-m', 'dagster_webserver', ...definitions, ...address]),
    cwd: home,
    name: 'dagster',
    port,
    answers: async () => (await get(`${url}/server_info`)).ok,
  }
  const daemon = owner.spawn(
    child('dagster-daemon', ['-m', 'dagster._daemon', 'run', ...definitions]),
  )
  void daemon.exited.then((exit) => {
    if (!exit.asked) onCrash(daemon.name, { exit, logTail: tailOf(daemon.logFile) })
  })
  const webserver = await startServer(spec, owner, signal, ({ name }, crash) =>
    onCrash(name, crash),
  )
  await untilHealthy(url, daemon, signal)
  onProgress(`Dagster is up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return {
    url,
    webserver,
    daemon,
    rssBytes: () => rssBytesOf(webserver.pid) + rssBytesOf(daemon.pid),
  }
}

async function installedPythons(): Promise<{ orchestration: string; training: string }> {
  const base = await findPython()
  if (base.python) {
    const orchestration = venvPython(base.version, 'orchestration')
    if (existsSync(orchestration)) return { orchestration, training: venvPython(base.version) }
  }
  throw new Error(
    'Dagster is not installed. Run `npm run orchestrate`, or `npm run demo -- --with dagster`.',
  )
}

/** Two daemons would start every run twice: the folder belongs to one at a time. */
function openHome(home: string): string {
  mkdirSync(home, { recursive: true })
  lock(home)
  copyFileSync(join(folder, 'instance', 'dagster.yaml'), join(home, 'dagster.yaml'))
  return home
}

async function untilEnded(child: OwnedProcess): Promise<void> {
  const { code, signal } = await child.exited
  if (code === 0) return
  const how = signal ?? `exit code ${code}`
  throw new Error(`${child.name} failed (${how}). Its log ends:\n${tailOf(child.logFile)}`)
}

async function untilHealthy(url: string, daemon: OwnedProcess, signal: AbortSignal): Promise<void> {
  const query =
    '{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }'
  const deadlineAt = Date.now() + readyWithinMs
  let sick: string[] = []
  while (Date.now() < deadlineAt) {
    signal.throwIfAborted()
    if (daemon.hasExited) throw new Error(`the daemon ended:\n${tailOf(daemon.logFile)}`)
    const { instance } = (await askDagster(url, query)) as DaemonHealth
    const statuses = instance.daemonHealth.allDaemonStatuses.filter((one) => one.required)
    sick = statuses.filter((one) => one.healthy !== true).map((one) => one.daemonType)
    if (sick.length === 0) return
    await wait(readyPollMs)
  }
  const seconds = readyWithinMs / 1000
  throw new Error(`the daemon was not healthy within ${seconds} s: ${sick.join(', ')}`)
}

interface DaemonHealth {
  instance: {
    daemonHealth: {
      allDaemonStatuses: { daemonType: string; required: boolean; healthy: boolean | null }[]
    }
  }
}

/** A GraphQL query or mutation. @throws Error with Dagster's own errors */
export async function askDagster(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(answerTimeoutMs),
  })
  const answer = (await response.json()) as { data: unknown; errors?: { message: string }[] }
  if (answer.errors) throw new Error(answer.errors.map(({ message }) => message).join('; '))
  return answer.data
}

const get = (url: string): Promise<Response> =>
  fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) })
