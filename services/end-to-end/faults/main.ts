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
import { canMakeDisks } from './small-disk.ts'

const usage = `npm run faults -- [--json FILE] [--only TEXT] [--short] [--mutations] [--list] [--rate 600] [--seed 1]
                  [--keep]

Starts real servers on free ports, streams events, lets one fault after the other happen, and then
verifies every event from the topics and from PostgreSQL (see npm run verify). Then runs copies of
our code, each broken on purpose: every one must be seen.

  --json FILE   the report as JSON
  --only TEXT   faults and mutations whose name contains it
  --short       a few faults of each kind and two mutations, in about four minutes
  --mutations   mutations alone
  --list        name them and end
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
  const isNamed = ({ name }: { readonly name: string }): boolean => name.includes(values.only)
  const cases = values.mutations
    ? []
    : faultCases.filter(isNamed).filter(({ isShort = false }) => isShort || !values.short)
  const broken = mutations.filter((one) => isNamed(one) && (!values.short || one.isShort))
  if (cases.length + broken.length === 0) {
    throw new Error(`no fault's or mutation's name contains ${values.only}: see --list`)
  }
  if (values.list) {
    console.log([...cases, ...broken].map(({ name }) => name).join('\n'))
    return 0
  }
  if (!canMakeDisks && !values.short) {
    console.error('no fault of a full disk: to mount a small one takes Linux and root')
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'churnstream-faults-'))
  const options = {
    ratePerSecond: whole('--rate', values.rate),
    seed: whole('--seed', values.seed),
    signal: stopping.signal,
  }
  const onProgress = (line: string): void => console.error(line)
  try {
    const report = await runFaults(cases, { ...options, dataDir, onProgress })
    if (cases.length > 0) console.log(reportText(report))
    const seen: MutationReport[] = []
    for (const [index, mutation] of broken.entries()) {
      const own = join(dataDir, `mutation-${index}`)
      const one = await runMutation(mutation, {
        ...options,
        dataDir: own,
        onProgress: () => undefined,
      })
      seen.push(one)
      console.log(`${one.red ? 'red  ' : 'GREEN'}  ${one.name}: ${one.seenAs}`)
      if (!values.keep) rmSync(own, { recursive: true, force: true })
    }
    if (values.json !== undefined) {
      writeFileSync(values.json, `${JSON.stringify({ ...report, mutations: seen }, null, 2)}\n`)
    }
    const isWhole = report.cases.every(({ secondsToCatchUp }) => secondsToCatchUp !== null)
    return report.breaches.length === 0 && isWhole && seen.every(({ red }) => red) ? 0 : 1
  } finally {
    if (values.keep) console.error(`data and logs are in ${dataDir}`)
    else rmSync(dataDir, { recursive: true, force: true })
  }
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
    ...(totals.p99PauseAfterServiceKillSeconds === null
      ? []
      : [`p99 pause after a service was killed: ${totals.p99PauseAfterServiceKillSeconds} s`]),
    ...cases.flatMap(({ fault, failure }) => (failure === null ? [] : [`  ${fault}: ${failure}`])),
    ...breaches.slice(0, 20).map(({ kind, where, detail }) => `  ${kind} ${where}: ${detail}`),
  ].join('\n')
}
