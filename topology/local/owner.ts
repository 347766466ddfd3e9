// How are child processes started so that none outlives its owner?
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { familyOf, isAlive } from './family.ts'

const stopTimeoutMs = 10_000
const killTimeoutMs = 5_000
const familyPollMs = 20

export interface ChildOptions {
  name: string
  command: string
  args: string[]
  logFile: string
  cwd?: string
  /** Added to the environment of this process. */
  env?: Record<string, string | undefined>
  /** What asks it to end in order; PostgreSQL wants SIGINT. */
  stopSignal?: NodeJS.Signals
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
  /** False when the process ended without being asked by stop() or kill9(). */
  asked: boolean
}

export interface OwnedProcess {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly exited: Promise<Exit>
  readonly hasExited: boolean
  /** Asks it to end, and kills it with its children when it takes longer than the bound. */
  stop(timeoutMs?: number): Promise<Exit>
  /** SIGKILL to it and all it started. */
  kill9(): Promise<Exit>
  pause(): void
  resume(): void
}

export interface Owner {
  spawn(options: ChildOptions): OwnedProcess
  /** Stops what still runs, the last started first. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts children in groups of their own and tells each to a reaper, which outlives a kill -9. */
export function createOwner(): Owner {
  const running: OwnedProcess[] = []
  let reaper: ChildProcess | undefined

  function tellReaper(line: string) {
    reaper ??= startReaper()
    reaper.stdin?.write(`${line}\n`)
  }

  return {
    spawn(options) {
      tellReaper('ready')
      const child = spawnOwned(options, tellReaper)
      running.push(child)
      void child.exited.then(() => running.splice(running.indexOf(child), 1))
      return child
    },
    async [Symbol.asyncDispose]() {
      for (const child of [...running].reverse()) await child.stop()
      if (!reaper) return
      const ended = reaper
      reaper = undefined
      ended.ref() // its end is awaited now
      const exit = once(ended, 'exit')
      ended.stdin?.end()
      await exit
    },
  }
}

function startReaper(): ChildProcess {
  const script = join(import.meta.dirname, 'reaper.mjs')
  const reaper = spawn(process.execPath, [script], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  reaper.unref()
  reaper.stdin.on('error', () => {}) // the reaper was killed; the owner still stops its children
  return reaper
}

function spawnOwned(options: ChildOptions, tellReaper: (line: string) => void): OwnedProcess {
  const { name, command, args, logFile, stopSignal = 'SIGTERM' } = options
  mkdirSync(dirname(logFile), { recursive: true })
  const log = openSync(logFile, 'a')
  const env = { ...process.env, ...options.env }
  const cwd = options.cwd ?? process.cwd()
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const { pid } = child
  if (pid !== undefined) tellReaper(`own ${pid} ${stopSignal}`)

  let asked = false
  let hasExited = false
  const exited = new Promise<Exit>((resolve) => {
    function end(code: number | null, signal: NodeJS.Signals | null) {
      if (hasExited) return
      hasExited = true
      if (pid !== undefined) tellReaper(`disown ${pid}`)
      resolve({ code, signal, asked })
    }
    child.on('exit', end)
    child.on('error', () => end(127, null)) // the command does not exist
  })
  if (pid === undefined) return neverStarted(name, logFile, exited)

  async function allGone(family: Set<number>, timeoutMs: number): Promise<boolean> {
    const deadlineAt = Date.now() + timeoutMs
    while (!hasExited || [...family].some(isAlive)) {
      if (Date.now() > deadlineAt) return false
      await wait(familyPollMs)
    }
    return true
  }

  async function kill9(): Promise<Exit> {
    asked = true
    const family = familyOf(child.pid ?? -1)
    signalAll(family, 'SIGKILL')
    await allGone(family, killTimeoutMs)
    return exited
  }

  return {
    name,
    pid,
    logFile,
    exited,
    get hasExited() {
      return hasExited
    },
    async stop(timeoutMs = stopTimeoutMs) {
      if (hasExited) return exited
      asked = true
      const family = familyOf(pid)
      signalGroup(pid, stopSignal)
      signalAll(family, 'SIGCONT') // a paused process sees no signal before it runs again
      if (!(await allGone(family, timeoutMs))) {
        signalAll(new Set([...family, ...familyOf(pid)]), 'SIGKILL')
        await allGone(family, killTimeoutMs)
      }
      return exited
    },
    kill9,
    pause: () => signalAll(familyOf(pid), 'SIGSTOP'),
    resume: () => signalAll(familyOf(pid), 'SIGCONT'),
  }
}

function neverStarted(name: string, logFile: string, exited: Promise<Exit>): OwnedProcess {
  const nothing = () => {}
  const end = () => exited
  return {
    name,
    pid: -1,
    logFile,
    exited,
    hasExited: true,
    stop: end,
    kill9: end,
    pause: nothing,
    resume: nothing,
  }
}

function signalAll(pids: Iterable<number>, signal: NodeJS.Signals) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // it has ended since the list was made
    }
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(-pid, signal)
  } catch {
    // the group has just ended
  }
}

/** The last lines of a log, for an error that should explain itself. */
export function tailOf(logFile: string, lines = 20): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return '(no log)'
  }
}
