// Which simulated players should be described, or sent to a running ingestion?
import { readFileSync } from 'node:fs'
import { describe } from './core/describe.ts'
import { dayMs } from './core/player.ts'
import { simulate, type Simulation } from './core/population.ts'
import { toTable } from './core/table.ts'
import { drive } from './driver.ts'
import { postEvents } from './http-client.ts'
import { help, pace, parseOptions, type Options } from './options.ts'

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), Date.now())
  if (options.command === 'help') console.log(help)
  else if (options.command === 'describe') console.log(toTable(describe(simulationOf(options))))
  else await send(options)
}

async function send(options: Options & { command: 'drive' }): Promise<void> {
  const key = options.keyFile && readFileSync(options.keyFile, 'utf8').trim()
  const sample = simulationOf({ ...options, players: 500 })
  const { ratePerSecond, players, daysPerMinute } = pace(options, eventsPerPlayerDay(sample))
  const simulation = simulationOf({ ...options, players })
  console.log(
    `seed ${options.seed}: ${players} players, ${options.days} days from ` +
      `${new Date(simulation.startAt).toISOString().slice(0, 10)}, ` +
      `${ratePerSecond.toFixed(1)} events/s, about ${daysPerMinute.toFixed(2)} days a minute\n` +
      `clock steps are not sent: ingestion's own clock timer is used`,
  )
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(name))
  let acknowledged = 0
  let newestAt = simulation.startAt
  const print = () =>
    console.log(`${acknowledged} acknowledged, event time ${new Date(newestAt).toISOString()}`)
  const timer = setInterval(print, 5000)
  try {
    const report = await drive({
      steps: simulate(simulation),
      ratePerSecond,
      post: postEvents(options.url, { key, connections: options.concurrency ?? 8 }),
      writeClock: () => {},
      signal: stop.signal,
      onAcknowledged: ({ events }) => {
        acknowledged += events.length
        newestAt = Math.max(newestAt, events.at(-1)?.occurredAt ?? 0)
      },
      ...(options.batchSize !== undefined && { batchSize: options.batchSize }),
      ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    })
    // No clock was written, whatever was counted.
    const { clocks: _clocks, lastClockAt: _lastClockAt, ...counts } = report
    console.log(JSON.stringify(counts, null, 2))
  } finally {
    clearInterval(timer)
  }
}

function simulationOf(
  options: Pick<
    Options & { command: 'describe' },
    'seed' | 'days' | 'startAt' | 'signUpDays' | 'players'
  >,
): Simulation {
  const { seed, days, startAt, signUpDays, players } = options
  return { seed, players, startAt, endAt: startAt + days * dayMs, signUpDays }
}

function eventsPerPlayerDay(sample: Simulation): number {
  let events = 0
  for (const step of simulate(sample)) if ('event' in step) events++
  return events / sample.players / ((sample.endAt - sample.startAt) / dayMs)
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
