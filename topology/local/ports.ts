// On which ports do the servers listen?
import { createServer } from 'node:net'

export interface Ports {
  kafka: number
  kafkaController: number
  registry: number
  registryManagement: number
  postgres: number
  s3: number
  mlflow: number
  prometheus: number
  connect: number
}

export const usualPorts: Ports = {
  kafka: 19092,
  kafkaController: 19093,
  registry: 18081,
  registryManagement: 18082,
  postgres: 15432,
  s3: 19000,
  mlflow: 15000,
  prometheus: 19090,
  connect: 18083,
}

/** Of Dagster's page, which no stack needs. */
const usualDagsterPort = 13_000

// Below the range from which systems take the ports of outgoing connections: one of those could
// otherwise sit on a server's port while that server restarts.
const freeFrom = 20_000
const freeTo = 32_000

/** @param unused those that nobody will listen on */
export async function choosePorts(
  kind: 'usual' | 'free',
  unused: readonly (keyof Ports)[],
  taken?: string,
): Promise<Ports> {
  if (kind === 'usual') {
    await refuseTaken(usedOf(usualPorts, unused), taken)
    return usualPorts
  }
  const names = Object.keys(usualPorts) as (keyof Ports)[]
  const ports = await freePorts(names.length)
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as unknown as Ports
}

export async function chooseDagsterPort(kind: 'usual' | 'free'): Promise<number> {
  if (kind === 'free') return (await freePorts(1))[0] as number
  await refuseTaken({ dagster: usualDagsterPort }, '--free-ports')
  return usualDagsterPort
}

/** Different ones, on which nothing listens at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const chosen = new Set<number>()
  while (chosen.size < count) {
    const port = freeFrom + Math.floor(Math.random() * (freeTo - freeFrom))
    if (await isFree(port)) chosen.add(port)
  }
  return [...chosen]
}

const usedOf = (ports: Ports, unused: readonly string[]): Record<string, number> =>
  Object.fromEntries(Object.entries(ports).filter(([name]) => !unused.includes(name)))

async function refuseTaken(
  ports: Readonly<Record<string, number>>,
  hint = "choose ports: 'free'",
): Promise<void> {
  const problems = []
  for (const [name, port] of Object.entries(ports)) {
    if (!(await isFree(port))) problems.push(`port ${port}, which ${name} needs, is taken`)
  }
  if (problems.length === 0) return
  throw new Error(
    `The local stack cannot start: ${problems.join('; ')}. ` +
      `Is another stack running? End it, or let the system choose other ports: ${hint}.`,
  )
}

async function isFree(port: number): Promise<boolean> {
  // macOS lets one program take a single address of a port that another holds on all addresses.
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'))
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host, exclusive: true }, () => {
      probe.close(() => resolve(true))
    })
  })
}
