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
  /** Started beside the pipeline. */
  readonly parts: readonly DemoPart[]
}

export const demoParts = ['dagster', 'monitoring', 'warehouse'] as const
export type DemoPart = (typeof demoParts)[number]

export const usage = `npm run demo -- [--for 60s] [--report FILE] [--rate 200] [--seed N] [--data FOLDER] [--free-ports]
                [--with dagster] [--with monitoring] [--with warehouse]

Starts the real servers and all services, trains and registers a model on the first run, and
streams simulated bettors through them until Ctrl-C.

  --for 60s      end by itself after this long (s, m or h)
  --report FILE  write what was counted as JSON
  --rate 200     events a second, sent over HTTP
  --seed N       the simulated players; another seed each run unless told
  --data FOLDER  where the servers keep their data (.data)
  --free-ports   let the system choose every port
  --with PART    may be repeated: dagster, the orchestration with its page and its daemon;
                 monitoring, Prometheus over every service, with our rules;
                 warehouse, Kafka Connect, which copies scores and models into flat tables`

/** @throws Error that names the argument and what it should be */
export function parseDemoOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      for: { type: 'string' },
      report: { type: 'string' },
      rate: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
      data: { type: 'string', default: usualDataDir },
      'free-ports': { type: 'boolean', default: false },
      with: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const isPart = (part: string): part is DemoPart => demoParts.some((known) => known === part)
  const unknown = values.with.filter((part) => !isPart(part))
  if (unknown.length > 0) {
    throw new Error(`--with takes ${demoParts.join(' or ')}, not ${unknown.join(', ')}`)
  }
  return {
    forMs: values.for === undefined ? undefined : parseDurationMs('--for', values.for, '60s'),
    reportFile: values.report,
    rate: parseWhole('--rate', values.rate, 1, 20_000),
    seed: parseWhole('--seed', values.seed, 0, 2 ** 32),
    dataDir: values.data,
    ports: values['free-ports'] ? 'free' : 'usual',
    parts: values.with.filter(isPart),
  }
}

function parseWhole(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`${name} takes a whole number from ${min} to ${max}, not ${text}`)
}
