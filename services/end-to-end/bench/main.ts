// npm run bench: measured figures, as a table and as JSON.
import { messageOf } from '@churnstream/runtime'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchKernel } from './kernel.ts'
import { benchMonitor } from './monitor.ts'
import { benchNoisy } from './noisy.ts'
import { benchRecords } from './records.ts'
import { benchReplay } from './replay.ts'
import { benchRestore } from './restore.ts'
import { benchRollout } from './rollout.ts'
import { benchScore } from './score.ts'

const usage = `npm run bench -- kernel|rollout|noisy|monitor|records|restore|replay|score [options]

Starts real servers on free ports where it needs them, measures, prints a table and ends.

  kernel         what a row costs in the forest kernel, in ONNX Runtime and in XGBoost
  rollout        how soon an alias takes effect, and what swaps cost under load
  noisy          how long one player's burst delays the others of its partition
  monitor        what watching the model costs beside scoring with it, at 5,000 events a second
  records        what record batches cost beside those of kafkajs, without a server
  restore        how soon a features replica is ready that takes over a partition
  replay         how fast a million records are folded and scored again, and in how much memory
  score          how fast files of rows are scored, in how much memory, and against Python
  --players N    in the restored partition (100000)
  --rows N       in each scored file (1000000)
  --report FILE  write the figures as JSON`

const benches = {
  kernel: benchKernel,
  rollout: benchRollout,
  noisy: benchNoisy,
  monitor: benchMonitor,
  records: benchRecords,
  restore: benchRestore,
  replay: benchReplay,
  score: benchScore,
}
type Name = keyof typeof benches

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
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      report: { type: 'string' },
      players: { type: 'string', default: '100000' },
      rows: { type: 'string', default: '1000000' },
      help: { type: 'boolean', default: false },
    },
  })
  const [name] = positionals
  const bench = name !== undefined && name in benches ? benches[name as Name] : undefined
  if (values.help || bench === undefined) {
    console.log(usage)
    return values.help ? 0 : 1
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-bench-'))
  try {
    const onProgress = (line: string) => console.error(line)
    const figures = await bench({
      dataDir,
      players: Number(values.players),
      rows: Number(values.rows),
      signal: stopping.signal,
      onProgress,
    })
    const width = Math.max(...Object.keys(figures).map(({ length }) => length))
    for (const [figure, value] of Object.entries(figures)) {
      console.log(`${figure.padEnd(width)}  ${value}`)
    }
    if (values.report) writeFileSync(values.report, `${JSON.stringify(figures, null, 2)}\n`)
    return 0
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}
