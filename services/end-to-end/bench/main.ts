// npm run bench: measured figures, as a table and as JSON.
import { messageOf } from '@churnstream/runtime'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchHttp } from './http.ts'
import { benchKernel } from './kernel.ts'
import { benchMonitor } from './monitor.ts'
import { benchNoisy } from './noisy.ts'
import { benchPeers, type Comparison } from './peers/peers.ts'
import { peersFlags, positive, toPeersOptions } from './peers/options.ts'
import { toLines } from './printed.ts'
import { benchRecords } from './records.ts'
import { benchReplay } from './replay.ts'
import { benchRestore } from './restore.ts'
import { benchRollout } from './rollout.ts'
import { benchScaling } from './scaling.ts'
import { benchScore } from './score.ts'
import { benchSoak } from './soak.ts'

const usage = `npm run bench -- kernel|rollout|noisy|monitor|records|restore|replay|score|http|peers|scaling|soak [options]

Starts real servers on free ports where it needs them, measures, prints a table and ends.

  kernel         what a row costs in the forest kernel, in ONNX Runtime and in XGBoost
  rollout        how soon an alias takes effect, and what swaps cost under load
  noisy          how long one player's burst delays the others of its partition
  monitor        what watching the model costs beside scoring with it, at 5,000 events a second
  records        what record batches cost beside those of kafkajs, without a server
  restore        how soon a features replica is ready that takes over a partition
  replay         how fast a million records are folded and scored again, and in how much memory
  score          how fast files of rows are scored, in how much memory, and against Python
  http           how much ingestion takes, and how long the way to PostgreSQL is
  peers          the same work by Kafka Streams, plain Java and Quix, checked and side by side
  scaling        what 1, 2, 4, 8 replicas drain here, and by calculation up to 64 elsewhere
  soak           memory, stalls and latency at a share of what is kept up in an open loop
  --players N    in the restored partition (100000)
  --rows N       in each scored file (1000000)
  --json FILE    write the figures as JSON

Of peers, each one or several with commas, or all:
  --task         S: vectors to scores; F: activity to features to scores (all)
  --contender    churnstream, kafka-streams, java-plain, quix (all)
  --guarantee    exactly-once, at-least-once (exactly-once)
  --cores        1: broker and meter have the first, the contender the second; 2: all share two (1)
  --load         drain, or events a second of an open loop (drain,1000,5000)
  --runs N       of each, in turn (3)
  --events N     preloaded (1000000)

Of scaling, which takes --events and --runs too:
  --partitions N    to calculate with, beside today's (64)
  --broker-cores N  to calculate with (8)

Of soak:
  --minutes N    after the search for the capacity (30)
  --share X      of the capacity, above 0 (0.7)`

const benches = {
  kernel: benchKernel,
  rollout: benchRollout,
  noisy: benchNoisy,
  monitor: benchMonitor,
  records: benchRecords,
  restore: benchRestore,
  replay: benchReplay,
  score: benchScore,
  http: benchHttp,
}
type Name = keyof typeof benches | 'peers' | 'scaling' | 'soak'

const isName = (name: string | undefined): name is Name =>
  name !== undefined && (name in benches || ['peers', 'scaling', 'soak'].includes(name))

/** What is printed, and what goes into the file. */
interface Result {
  readonly text: string
  readonly json: object
}

const flags = {
  json: { type: 'string' },
  players: { type: 'string', default: '100000' },
  rows: { type: 'string', default: '1000000' },
  ...peersFlags,
  partitions: { type: 'string', default: '64' },
  'broker-cores': { type: 'string', default: '8' },
  minutes: { type: 'string', default: '30' },
  share: { type: 'string', default: '0.7' },
  help: { type: 'boolean', default: false },
} as const
type Values = ReturnType<typeof parseArgs<{ options: typeof flags }>>['values']

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: flags })
  const [name] = positionals
  if (values.help || !isName(name)) {
    console.log(usage)
    return values.help ? 0 : 1
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-bench-'))
  try {
    const { text, json } = await resultOf(name, values, dataDir)
    console.log(text)
    if (values.json) writeFileSync(values.json, `${JSON.stringify(json, null, 2)}\n`)
    return 0
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function resultOf(name: Name, values: Values, dataDir: string): Promise<Result> {
  const onProgress = (line: string) => console.error(line)
  const given = { dataDir, signal: stopping.signal, onProgress }
  if (name === 'peers') {
    const comparison = await benchPeers({ ...given, ...toPeersOptions(values) })
    return { text: toText(comparison), json: comparison }
  }
  if (name === 'scaling') {
    const { text, ...json } = await benchScaling({
      ...given,
      events: positive('events', values.events),
      runs: positive('runs', values.runs),
      partitions: positive('partitions', values.partitions),
      brokerCores: positive('broker-cores', values['broker-cores']),
    })
    return { text, json }
  }
  if (name === 'soak') {
    const share = Number(values.share)
    if (!(share > 0)) throw new Error(`--share ${values.share}`)
    const minutes = positive('minutes', values.minutes)
    const { text, ...json } = await benchSoak({ ...given, minutes, share })
    return { text, json }
  }
  const figures = await benches[name]({
    ...given,
    players: Number(values.players),
    rows: Number(values.rows),
  })
  return { text: toLines(figures), json: figures }
}

function toText({ table, parts, limits }: Comparison): string {
  const costs = Object.entries(parts).flatMap(([task, processes]) =>
    Object.entries(processes).map(([name, byPart]) => {
      const each = Object.entries(byPart).map(([part, seconds]) => `${part} ${seconds}`)
      return `${task}, ${name}, CPU seconds per million events: ${each.join(', ')}`
    }),
  )
  return [table, '', ...costs, '', toLines(limits)].join('\n')
}
