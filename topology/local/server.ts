// How is one server started, known to be up, and started again on the same port and data?
import { setTimeout as wait } from 'node:timers/promises'
import { listensOn } from './family.ts'
import { tailOf, type Exit, type OwnedProcess, type Owner } from './owner.ts'

const readyPollMs = 100
const startTimeoutMs = 90_000

/** Those of further brokers exist only in a cluster of three. */
export type PartName =
  | 'kafka'
  | 'kafka2'
  | 'kafka3'
  | 'registry'
  | 'postgres'
  | 's3'
  | 'mlflow'
  | 'prometheus'
  | 'connect'

/** Dagster is no part of a stack: it starts beside one that runs. */
type ServerName = PartName | 'dagster'

export interface ServerSpec {
  name: ServerName
  command: string
  args: string[]
  cwd: string
  logFile: string
  env?: Record<string, string | undefined>
  stopSignal?: NodeJS.Signals
  port: number
  /** A real answer of this very server; throws or answers false until there is one. */
  answers(): Promise<boolean>
}

export interface Server {
  readonly name: ServerName
  readonly port: number
  readonly logFile: string
  /** Of the process that runs now or ran last. */
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Starts it again on the same port and data, and waits until it answers. */
  start(signal?: AbortSignal): Promise<void>
  stop(timeoutMs?: number): Promise<Exit>
  kill9(): Promise<Exit>
  pause(): void
  resume(): void
}

export interface Crash {
  exit: Exit
  /** The last lines of its log. */
  logTail: string
}

export type OnCrash = (server: Server, crash: Crash) => void

export async function startServer(
  spec: ServerSpec,
  owner: Pick<Owner, 'spawn'>,
  signal: AbortSignal,
  onCrash: OnCrash,
): Promise<Server> {
  let child = await startChild(spec, owner, signal)

  function watch(watched: OwnedProcess) {
    void watched.exited.then((exit) => {
      if (!exit.asked) onCrash(server, { exit, logTail: tailOf(spec.logFile) })
    })
  }
  const server: Server = {
    name: spec.name,
    port: spec.port,
    logFile: spec.logFile,
    get pid() {
      return child.pid
    },
    get exited() {
      return child.exited
    },
    async start(startSignal = signal) {
      if (!child.hasExited) throw new Error(`${spec.name} already runs (process ${child.pid})`)
      child = await startChild(spec, owner, startSignal)
      watch(child)
    },
    stop: (timeoutMs) => child.stop(timeoutMs),
    kill9: () => child.kill9(),
    pause: () => child.pause(),
    resume: () => child.resume(),
  }
  watch(child)
  return server
}

async function startChild(
  spec: ServerSpec,
  owner: Pick<Owner, 'spawn'>,
  signal: AbortSignal,
): Promise<OwnedProcess> {
  const child = owner.spawn(spec)
  const deadlineAt = Date.now() + startTimeoutMs
  let lastTrouble: unknown
  while (!child.hasExited) {
    if (signal.aborted) {
      await child.stop()
      signal.throwIfAborted()
    }
    try {
      // Both: another program on the port may answer while this process still dies of that.
      if ((await spec.answers()) && listensOn(child.pid, spec.port)) return child
    } catch (error) {
      lastTrouble = error
    }
    if (Date.now() > deadlineAt) {
      await child.kill9()
      throw failure(spec, `did not answer within ${startTimeoutMs / 1000} s`, lastTrouble)
    }
    await wait(readyPollMs)
  }
  const { code, signal: endSignal } = await child.exited
  throw failure(spec, `ended while starting (${endSignal ?? `exit code ${code}`})`, lastTrouble)
}

function failure(spec: ServerSpec, what: string, cause: unknown): Error {
  const tail = tailOf(spec.logFile)
  const message = `${spec.name} ${what} on port ${spec.port}. Its log ${spec.logFile} ends:\n${tail}`
  return new Error(message, { cause })
}
