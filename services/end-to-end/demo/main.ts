// npm run demo: simulated bettors through the real pipeline, and what came of it.
import { clockRecords } from '@churnstream/ingestion'
import { Schemas } from '@churnstream/schemas'
import { messageOf, type Producer } from '@churnstream/runtime'
import { drive, postEvents, type DriveReport, type Post, type Step } from '@churnstream/simulator'
import {
  fusedProcessIds,
  processIds,
  topics,
  warehouse,
  warehouseTables,
} from '@churnstream/topology'
import { usualDataDir } from '@churnstream/topology/local'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { clockEveryMs, firstEvents, lastYear } from '../pipeline/steps.ts'
import { markEnds, takeAccount, type Account } from './account.ts'
import { quantile, watch, type Live } from './live.ts'
import { runDriftScenario } from './drift/scenario.ts'
import { parseDemoOptions, usage, type DemoOptions } from './options.ts'

const dayMs = 86_400_000
const summaryEveryMs = process.stdout.isTTY ? 1_000 : 5_000
const drainWithinMs = 60_000
const warmUpSeconds = 4
/** From when the user pressed return, where the set-up tells it. */
const commandStartedAt =
  Number(process.env['CHURNSTREAM_COMMAND_STARTED_AT'] ?? performance.timeOrigin) -
  performance.timeOrigin

const stopping = new AbortController()
let failure: string | undefined

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!stopping.signal.aborted) console.log(`\n${signal}: stopping, nothing will be left running`)
    stopping.abort(new Error(`stopped by ${signal}`))
  })
}

function fail(message: string): void {
  if (failure !== undefined || stopping.signal.aborted) return
  failure = message
  stopping.abort(new Error(message))
}

const driftRun = {
  signal: stopping.signal,
  secondsNow: () => (performance.now() - commandStartedAt) / 1000,
  onProgress: (line: string) => console.log(`[${elapsed()}] ${line}`),
  onFailure: fail,
}

try {
  const options = parseDemoOptions(process.argv.slice(2))
  if (options === 'help') console.log(usage)
  else if ('scenario' in options) await runDriftScenario(options, driftRun)
  else await runDemo(options)
} catch (error) {
  failure ??= stopping.signal.aborted ? undefined : messageOf(error)
}
if (failure !== undefined) {
  console.error(`\nThe demo ended: ${failure}`)
  process.exit(1)
}
process.exit(0)

async function runDemo(options: DemoOptions): Promise<void> {
  await using pipeline = await startPipeline({
    dataDir: options.dataDir,
    ports: options.ports,
    modelSize: 'demo',
    services: options.isFused ? fusedProcessIds : processIds,
    dagster: options.parts.includes('dagster') ? {} : undefined,
    monitoring: options.parts.includes('monitoring'),
    warehouse: options.parts.includes('warehouse'),
    signal: stopping.signal,
    onProgress: (line) => console.log(`[${elapsed()}] ${line}`),
    onFailure: fail,
  })
  const { kafka, stack, urls, apiKey: key } = pipeline
  const post = postEvents(urls.ingestion, { key })
  const schemas = new Schemas({ url: stack.registry.url })
  const marks = await markEnds(kafka)
  const onNotice = (line: string) => {
    if (process.stdout.isTTY) process.stdout.write('\r\u001b[2K')
    console.log(`[${elapsed()}] ${line}`)
  }
  const live = watch({ kafka, schemas, onNotice, onFailure: fail })
  await live.caughtUp
  printPlaces(pipeline, options)

  let peakRssBytes = 0
  const timer = setInterval(() => {
    const rss = Object.values(pipeline.rssBytes()).reduce((sum, bytes) => sum + bytes, 0)
    peakRssBytes = Math.max(peakRssBytes, rss + process.memoryUsage.rss())
  }, 2_000)
  const summary = startSummary(live, options.rate)
  const producer = await kafka.openProducer()
  try {
    const report = await stream(options, post, live, producer, schemas)
    if (failure !== undefined) return
    await drain(live)
    clearInterval(summary)
    await live.stop()
    const account = await settledAccount(pipeline, schemas, marks, live)
    finish(options, account, live, report, peakRssBytes)
  } finally {
    clearInterval(timer)
    clearInterval(summary)
    await producer.close()
    await live.stop()
  }
}

async function stream(
  options: DemoOptions,
  post: Post,
  live: Live,
  producer: Producer,
  schemas: Schemas,
): Promise<DriveReport> {
  const steps = lastYear(options.seed, options.rate)
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const drivenBy = (part: Iterable<Step>, ratePerSecond: number, signal: AbortSignal) =>
    drive({
      steps: part,
      ratePerSecond,
      signal,
      post(events, posting) {
        const now = performance.now()
        for (const { eventId } of events) live.sent(eventId, now)
        return post(events, posting)
      },
      async writeClock(atMs) {
        await producer.send(clockRecords(encoder, atMs))
      },
      onAcknowledged({ verdicts }) {
        for (const verdict of verdicts) {
          if (verdict.status === 'accepted') live.accepted(verdict.eventId)
          else
            fail(`ingestion refused a simulated event: ${verdict.reason} ${verdict.message ?? ''}`)
        }
      },
    })
  // Nothing starts at full rate in production; these events count like all others.
  const warmUpRate = Math.max(1, Math.round(options.rate / 10))
  await drivenBy(firstEvents(steps, warmUpRate * warmUpSeconds), warmUpRate, stopping.signal)
  const ended = options.forMs === undefined ? [] : [AbortSignal.timeout(options.forMs)]
  return drivenBy(steps, options.rate, AbortSignal.any([stopping.signal, ...ended]))
}

async function drain(live: Live): Promise<void> {
  console.log(
    `[${elapsed()}] ${live.acknowledged.size} events acknowledged; waiting for the last scores`,
  )
  const deadline = Date.now() + drainWithinMs
  while (live.waiting > 0 && Date.now() < deadline) {
    if (failure !== undefined) return
    await delay(50)
  }
}

/** Counts until nothing is missing any more, or until waiting longer would not help. */
async function settledAccount(
  { kafka, stack }: Pipeline,
  schemas: Schemas,
  marks: Awaited<ReturnType<typeof markEnds>>,
  live: Live,
): Promise<Account> {
  const deadline = Date.now() + drainWithinMs
  const databaseUrl = stack.postgres.url('churnstream')
  for (;;) {
    const account = await takeAccount({
      kafka,
      schemas,
      databaseUrl,
      marks,
      acknowledged: live.acknowledged,
    })
    if (account.missing === 0 || Date.now() > deadline) return account
    await delay(250)
  }
}

function finish(
  options: DemoOptions,
  account: Account,
  live: Live,
  report: DriveReport,
  peakRssBytes: number,
): void {
  const latencies = live.latencies()
  const result = {
    ...account,
    latencyMs: { p50: round(quantile(latencies, 0.5)), p99: round(quantile(latencies, 0.99)) },
    secondsToFirstScore:
      live.firstScoreAt === undefined ? null : round((live.firstScoreAt - commandStartedAt) / 1000),
    peakRssMb: Math.round(peakRssBytes / 1024 / 1024),
    eventsPerSecond: round(report.acknowledged / (report.elapsedMs / 1000)),
    worstBehindMs: Math.round(report.worstBehindMs),
    retried: report.retried,
    simulatedDays: round((report.clocks * clockEveryMs) / dayMs),
    seed: options.seed,
    rate: options.rate,
  }
  console.log(`\n${JSON.stringify(result, null, 2)}`)
  if (options.reportFile !== undefined) {
    writeFileSync(options.reportFile, `${JSON.stringify(result, null, 2)}\n`)
    console.log(`written to ${options.reportFile}`)
  }
  const wrong = account.missing > 0 || account.duplicates > 0 || account.scores === 0
  if (wrong)
    failure = `missing ${account.missing}, duplicates ${account.duplicates}, scores ${account.scores}`
}

function startSummary(live: Live, rate: number): NodeJS.Timeout {
  let lastAt = performance.now()
  let lastAcknowledged = 0
  let lastScores = 0
  return setInterval(() => {
    const now = performance.now()
    const seconds = (now - lastAt) / 1000
    const recent = live.takeRecentLatencies()
    const line = [
      `${Math.round((live.acknowledged.size - lastAcknowledged) / seconds)}/${rate} events/s`,
      `${Math.round((live.scores - lastScores) / seconds)} scores/s`,
      `event to score p50 ${Math.round(quantile(recent, 0.5))} ms, p99 ${Math.round(quantile(recent, 0.99))} ms`,
      `${live.waiting} waiting`,
      `model ${live.modelVersion}`,
      `${live.deadLetters} dead letters`,
    ].join(' · ')
    lastAt = now
    lastAcknowledged = live.acknowledged.size
    lastScores = live.scores
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K[${elapsed()}] ${line}`)
    else console.log(`[${elapsed()}] ${line}`)
  }, summaryEveryMs)
}

function printPlaces({ stack, urls, dagster }: Pipeline, options: DemoOptions): void {
  const where = options.dataDir === usualDataDir ? '' : ` --data-dir ${options.dataDir}`
  const model = (line: string): string => `npm run model -- ${line}${where}`
  console.log(`
  events     POST ${urls.ingestion}/v1/events, key in ${join(options.dataDir, 'api-key')}
  Kafka      ${stack.kafka.brokers.join(',')}
  schemas    ${stack.registry.url}
  MLflow     ${stack.mlflow.url}${dagster ? `\n  Dagster    ${dagster.url}` : ''}
  PostgreSQL ${stack.postgres.url('churnstream')}
  metrics    ${Object.values(urls)
    .map((url) => `${url}/metrics`)
    .join('\n             ')}${
    options.parts.includes('monitoring')
      ? `
  Prometheus ${stack.prometheus.url}/alerts (boards for Grafana: observability/grafana)`
      : ''
  }${
    options.parts.includes('warehouse')
      ? `
  warehouse  ${stack.postgres.url(warehouse)}
             ${Object.values(warehouseTables)
               .map(({ name, holds }) => `${warehouse}.${name}: ${holds}`)
               .join('\n             ')}
  Connect    ${stack.connect.url}/connectors`
      : ''
  }
  models     in another terminal, while this one shows the version change:
             ${model('train --market default --variant deep --champion')}
             ${model('status')}
             ${model('rollback default')}
  players    seed ${options.seed}, ${options.rate} events a second${
    options.forMs === undefined ? '; Ctrl-C ends it' : ` for ${options.forMs / 1000} s`
  }
`)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
function elapsed(): string {
  return `${((performance.now() - commandStartedAt) / 1000).toFixed(1).padStart(6)} s`
}
