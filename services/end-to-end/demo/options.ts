// What can the user ask of the demo?
import { parseDurationMs } from '@churnstream/command-line'
import { usualDataDir } from '@churnstream/topology/local'
import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly forMs: number | undefined
  readonly reportFile: string | undefined
  readonly rate: number
  readonly seed: number
  readonly dataDir: string
  readonly ports: 'usual' | 'free'
  /** Features and the scorer in one process. */
  readonly isFused: boolean
  /** Started beside the pipeline. */
  readonly parts: readonly DemoPart[]
}

/** A story that ends by itself; nothing else can be asked of it. */
export interface ScenarioOptions {
  readonly scenario: 'drift'
  readonly reportFile: string | undefined
  /** undefined: one of its own, which goes when it ends. */
  readonly dataDir: string | undefined
  readonly ports: 'usual' | 'free'
}

export const demoParts = ['dagster', 'monitoring', 'warehouse'] as const
export type DemoPart = (typeof demoParts)[number]

export const usage = `npm run demo -- [--for 60s] [--report FILE] [--rate 200] [--seed N] [--data FOLDER] [--free-ports]
                [--fused] [--with dagster] [--with monitoring] [--with warehouse]
       npm run demo -- --scenario drift [--report FILE] [--data FOLDER] [--free-ports]

Starts the real servers and all services, trains and registers a model on the first run, and
streams simulated bettors through them until Ctrl-C.

  --for 60s      end by itself after this long (s, m or h)
  --report FILE  write what was counted as JSON
  --rate 200     events a second, sent over HTTP
  --seed N       the simulated players; another seed each run unless told
  --data FOLDER  where the servers keep their data (.data)
  --free-ports   let the system choose every port
  --fused        features and the scorer in one process and one transaction
  --with PART    may be repeated: dagster, the orchestration with its page and its daemon;
                 monitoring, Prometheus over every service, with our rules;
                 warehouse, Kafka Connect, which copies scores and models into flat tables
  --scenario drift   the players drift; by itself the monitor asks for a new version, Dagster trains,
                 compares and promotes it, and the scores improve. Exits 1 at a step that does not
                 happen. Its data goes when it ends, unless --data names a new folder`

/** @throws Error that names the argument and what it should be */
export function parseDemoOptions(args: readonly string[]): DemoOptions | ScenarioOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      for: { type: 'string' },
      report: { type: 'string' },
      rate: { type: 'string' },
      seed: { type: 'string' },
      data: { type: 'string' },
      'free-ports': { type: 'boolean', default: false },
      fused: { type: 'boolean', default: false },
      with: { type: 'string', multiple: true },
      scenario: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const ports = values['free-ports'] ? 'free' : 'usual'
  const { for: forText, rate = '200', with: parts = [], report: reportFile, scenario } = values
  if (scenario !== undefined) {
    if (scenario !== 'drift') throw new Error(`--scenario takes drift, not ${scenario}`)
    const other = (['for', 'rate', 'seed', 'fused', 'with'] as const).find((name) => values[name])
    if (other) throw new Error(`--scenario drift is played as it is: it takes no --${other}`)
    return { scenario, reportFile, dataDir: values.data, ports }
  }
  const seed = values.seed ?? String(Math.floor(Date.now() / 1000))
  const isPart = (part: string): part is DemoPart => demoParts.some((known) => known === part)
  const unknown = parts.filter((part) => !isPart(part))
  if (unknown.length > 0) {
    throw new Error(`--with takes ${demoParts.join(' or ')}, not ${unknown.join(', ')}`)
  }
  return {
    forMs: forText === undefined ? undefined : parseDurationMs('--for', forText, '60s'),
    reportFile,
    rate: parseWhole('--rate', rate, 1, 20_000),
    seed: parseWhole('--seed', seed, 0, 2 ** 32),
    dataDir: values.data ?? usualDataDir,
    ports,
    isFused: values.fused,
    parts: parts.filter(isPart),
  }
}

function parseWhole(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`${name} takes a whole number from ${min} to ${max}, not ${text}`)
}
