// npm run faults: what does the pipeline lose, repeat or get wrong when everything breaks in turn?
import { renderTable } from '@churnstream/command-line'
import { messageOf } from '@churnstream/runtime'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faultCases } from './cases.ts'
import { mutations, runMutation, type MutationReport } from './mutations.ts'
import { runFaults, type FaultsReport } from './run.ts'

const usage = `npm run faults -- [--json FILE] [--only TEXT] [--short] [--mutations] [--list] [--rate 600] [--seed 1]
                  [--keep]

Starts real servers on free ports, streams events, lets one fault after the other happen, and then
verifies every event from the topics and from PostgreSQL (see npm run verify).

  --json FILE   the report as JSON
  --only TEXT   faults whose name contains it
  --short       a few of each kind, in about two minutes
  --mutations   instead: copies of our code, each broken on purpose; every one must be seen
  --list        name the faults and end
  --rate 600    events a second
  --seed 1      the simulated players
  --keep        leave the servers' data and the logs, and say where`

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`faults: ${messageOf(error)}`)
  process.exitCode = 1
}
process.exit()

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string' },
      only: { type: 'string', default: '' },
      short: { type: 'boolean', default: false },
      mutations: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      rate: { type: 'string', default: '600' },
      seed: { type: 'string', default: '1' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  if (values.mutations) return runMutations(values)
  const cases = faultCases
    .filter(({ name }) => name.includes(values.only))
    .filter(({ isShort = false }) => isShort || !values.short)
  if (cases.length === 0) throw new Error(`no fault's name contains ${values.only}: see --list`)
  if (values.list) {
    console.log(cases.map(({ name }) => name).join('\n'))
    return 0
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-faults-'))
  try {
    const report = await runFaults(cases, {
      dataDir,
      ratePerSecond: whole('--rate', values.rate),
      seed: whole('--seed', values.seed),
      signal: stopping.signal,
      onProgress: (line) => console.error(line),
    })
    console.log(reportText(report))
    if (values.json !== undefined) {
      writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
    }
    const isWhole = report.cases.every(({ secondsToCatchUp }) => secondsToCatchUp !== null)
    return report.breaches.length === 0 && isWhole ? 0 : 1
  } finally {
    if (values.keep) console.error(`data and logs are in ${dataDir}`)
    else rmSync(dataDir, { recursive: true, force: true })
  }
}

async function runMutations(values: {
  readonly only: string
  readonly rate: string
  readonly seed: string
  readonly json?: string
}): Promise<number> {
  const reports: MutationReport[] = []
  for (const mutation of mutations.filter(({ name }) => name.includes(values.only))) {
    const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-faults-'))
    try {
      const report = await runMutation(mutation, {
        dataDir,
        ratePerSecond: whole('--rate', values.rate),
        seed: whole('--seed', values.seed),
        signal: stopping.signal,
        onProgress: () => undefined,
      })
      reports.push(report)
      console.log(`${report.red ? 'red  ' : 'GREEN'}  ${report.name}: ${report.seenAs}`)
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ mutations: reports }, null, 2)}\n`)
  }
  return reports.every(({ red }) => red) ? 0 : 1
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`${name} takes a whole number above 0, not ${text}`)
}

function reportText({ cases, totals, breaches }: FaultsReport): string {
  const header = [
    'fault',
    'fired',
    'events',
    'lost',
    'twice',
    'order',
    'wrong',
    'caught up',
    'pause',
  ]
  const rows = cases.map((one) => [
    one.fault,
    String(one.fired),
    String(one.events),
    String(one.lost),
    String(one.duplicated),
    String(one.outOfOrder),
    String(one.wrongScores),
    `${one.secondsToCatchUp?.toFixed(1) ?? '–'} s`,
    `${one.pauseSeconds.toFixed(1)} s`,
  ])
  return [
    renderTable(header, rows, { isRight: (column) => column > 0 }),
    '',
    `${totals.cases} faults, ${totals.events} acknowledged events: ${totals.lost} lost, ` +
      `${totals.duplicated} counted twice, ${totals.outOfOrder} out of order, ` +
      `${totals.wrongScores} wrong scores, ${totals.others} other breaches`,
    `${totals.recomputedScores} scores computed again differ by at most ` +
      totals.largestScoreDifference.toExponential(1),
    ...breaches.slice(0, 20).map(({ kind, where, detail }) => `  ${kind} ${where}: ${detail}`),
  ].join('\n')
}
