// Do events flow through the cluster that kubectl is pointed at? node k8s/smoke.ts [--within 600]
import { loopMetrics } from '../topology/src/metrics/index.ts'
import {
  fused,
  fusedProcessIds,
  hosts,
  processIds,
  services,
  type Service,
} from '../topology/src/services.ts'
import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'

const namespace = 'churnstream'
const pollMs = 2_000
const answerTimeoutMs = 5_000
/** Ingestion writes a clock record a minute to every partition, so features is never behind that. */
const freshWithinSeconds = 180

const { values } = parseArgs({ options: { within: { type: 'string', default: '600' } } })
const deadline = AbortSignal.timeout(Number(values.within) * 1000)

type Host = Pick<Service, 'name' | 'port'>

interface Door extends AsyncDisposable {
  readonly url: string
}

/** A way to one pod of the service, whatever the network policies say. */
async function openDoor({ name, port }: Host): Promise<Door> {
  const args = ['-n', namespace, 'port-forward', `service/${name}`, `:${port}`]
  const child = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  for await (const line of createInterface({ input: child.stdout })) {
    const [, local] = /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line) ?? []
    if (local === undefined) continue
    return {
      url: `http://127.0.0.1:${local}`,
      async [Symbol.asyncDispose]() {
        child.kill()
        await ended
      },
    }
  }
  throw new Error(`kubectl opens no way to ${name}`)
}

async function problemOf(service: Host): Promise<string | undefined> {
  await using door = await openDoor(service)
  const get = (path: string) =>
    fetch(`${door.url}${path}`, { signal: AbortSignal.timeout(answerTimeoutMs) })
  const ready = await get('/health/ready')
  if (!ready.ok) return `not ready: ${await ready.text()}`
  const { name } = services.features
  if (service.name !== name && service.name !== fused.name) return undefined
  const metrics = await (await get('/metrics')).text()
  const newest = [
    ...metrics.matchAll(
      new RegExp(`^${loopMetrics.newestCommitted.name}\\{.*service="${name}".*\\} (\\S+)`, 'gm'),
    ),
  ].map(([, seconds]) => Date.now() / 1000 - Number(seconds))
  if (newest.length === 0) return 'owns no partition that has brought anything yet'
  const oldest = Math.max(...newest)
  return oldest > freshWithinSeconds ? `newest record is ${oldest.toFixed(0)} s old` : undefined
}

async function untilWell(service: Host): Promise<string | undefined> {
  for (;;) {
    const problem = await problemOf(service).catch((error: unknown) => String(error))
    if (problem === undefined || deadline.aborted) return problem
    await delay(pollMs)
  }
}

/** Whether features and the scorer run together here. */
async function isFused(): Promise<boolean> {
  const args = ['-n', namespace, 'get', `service/${fused.name}`, '--ignore-not-found', '-o', 'name']
  return (await promisify(execFile)('kubectl', args)).stdout.trim() !== ''
}

const problems = await Promise.all(
  ((await isFused()) ? fusedProcessIds : processIds).map(async (id) => {
    const { name } = hosts[id]
    const problem = await untilWell(hosts[id])
    console.log(problem === undefined ? `${name}: well` : `${name}: ${problem}`)
    return problem
  }),
)
process.exitCode = problems.every((problem) => problem === undefined) ? 0 : 1
