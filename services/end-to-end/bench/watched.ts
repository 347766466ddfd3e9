// What does a command cost: time, processor time and memory?
import { rssBytesOf } from '@churnstream/topology/local'
import { spawn } from 'node:child_process'

const sampleEveryMs = 250

export interface Watched {
  /** The last line. */
  readonly output: string
  readonly seconds: number
  /** Says more than seconds where other programs run too. */
  readonly processorSeconds: number
  readonly peakRssBytes: number
}

/** The shell's own words for what its children cost, after what they said. */
const timed = '"$@"; code=$?; times; exit $code'

/** From the start of the process to its end; memory is that of it and its children together. */
export async function watched(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Watched> {
  const startedAt = performance.now()
  // In a group of its own, so that the shell does not end alone.
  const child = spawn('sh', ['-c', timed, 'sh', command, ...args], {
    detached: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let complaint = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => {
    complaint = `${complaint}${text.toString()}`.slice(-2_000)
  })
  const { pid } = child
  const end = (): void => void (pid !== undefined && process.kill(-pid, 'SIGTERM'))
  signal.addEventListener('abort', end)
  let peakRssBytes = 0
  const sampling = setInterval(() => {
    if (pid !== undefined) peakRssBytes = Math.max(peakRssBytes, rssBytesOf(pid))
  }, sampleEveryMs)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    signal.throwIfAborted()
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${complaint}`)
    const seconds = (performance.now() - startedAt) / 1000
    const lines = output.trim().split('\n')
    const [own, children] = [lines.at(-3) ?? '', lines.at(-1) ?? '']
    return { output: own, peakRssBytes, seconds, processorSeconds: toSeconds(children) }
  } finally {
    clearInterval(sampling)
    signal.removeEventListener('abort', end)
  }
}

/** Of user and system time, as `0m1.23s 0m0.40s`. */
function toSeconds(line: string): number {
  const times = [...line.matchAll(/(\d+)m([\d.]+)s/g)]
  return times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}
