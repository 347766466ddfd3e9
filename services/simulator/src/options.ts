// What did the command line ask for?
import { parseArgs } from 'node:util'
import { dayMs } from './core/player.ts'

export const help = `Simulated players with a known churn process.

  node services/simulator/src/main.ts --url http://127.0.0.1:8080 --rate 200
  node services/simulator/src/main.ts --describe --players 5000 --days 120 --seed 1

  --url URL               ingestion to send to
  --key-file FILE         the key to send with, where ingestion asks for one
  --rate N                events per second (200)
  --players N             how many players
  --days-per-minute X     simulated days per minute. Any two of --rate, --players and
                          --days-per-minute give the third; alone, --players is 2000
  --days N                simulated days (60; 120 with --describe)
  --start YYYY-MM-DD      first simulated day, UTC (so that the stream ends today; 2026-01-01
                          with --describe)
  --sign-up-days N        sign-ups are spread over so many days (60, or --days if shorter)
  --seed N                same seed, same players and events (1)
  --batch N               events in a request at most (200)
  --concurrency N         requests at once at most (8)
  --describe              print what the simulated world looks like, send nothing
  --help

One seed is one set of players: a second run against the same Kafka takes another seed.`

const numbers = {
  rate: 'positive',
  players: 'whole',
  'days-per-minute': 'positive',
  days: 'whole',
  'sign-up-days': 'whole',
  seed: 'seed',
  batch: 'whole',
  concurrency: 'whole',
} as const
type NumberName = keyof typeof numbers

export interface World {
  readonly seed: number
  readonly days: number
  readonly startAt: number
  readonly signUpDays: number
}

export type Options =
  | { readonly command: 'help' }
  | ({ readonly command: 'describe'; readonly players: number } & World)
  | ({
      readonly command: 'drive'
      readonly url: string
      readonly keyFile: string | undefined
      readonly ratePerSecond: number | undefined
      readonly players: number | undefined
      readonly daysPerMinute: number | undefined
      readonly batchSize: number | undefined
      readonly concurrency: number | undefined
    } & World)

/** Refuses with every problem at once. */
export function parseOptions(args: readonly string[], nowMs: number): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      'key-file': { type: 'string' },
      rate: { type: 'string' },
      players: { type: 'string' },
      'days-per-minute': { type: 'string' },
      days: { type: 'string' },
      start: { type: 'string' },
      'sign-up-days': { type: 'string' },
      seed: { type: 'string' },
      batch: { type: 'string' },
      concurrency: { type: 'string' },
      describe: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return { command: 'help' }

  const problems: string[] = []
  const number = (name: NumberName): number | undefined => {
    const text = values[name]
    if (text === undefined) return undefined
    const value = text.trim() === '' ? NaN : Number(text)
    const rule = numbers[name]
    const fits =
      rule === 'positive'
        ? value > 0 && value < Infinity
        : Number.isSafeInteger(value) && value >= (rule === 'seed' ? 0 : 1)
    if (!fits) {
      problems.push(`--${name} must be a ${rule === 'positive' ? '' : 'whole '}number: ${text}`)
    }
    return value
  }
  const describe = values.describe ?? false
  const days = number('days') ?? (describe ? 120 : 60)
  const startAt =
    values.start !== undefined
      ? Date.parse(values.start)
      : describe
        ? Date.UTC(2026, 0, 1)
        : (Math.floor(nowMs / dayMs) - days) * dayMs
  if (Number.isNaN(startAt)) problems.push(`--start must be a date: ${values.start}`)
  const world: World = {
    seed: number('seed') ?? 1,
    days,
    startAt,
    signUpDays: number('sign-up-days') ?? Math.min(60, days),
  }
  const players = number('players')
  const ratePerSecond = number('rate')
  const daysPerMinute = number('days-per-minute')
  const batchSize = number('batch')
  const concurrency = number('concurrency')
  if (!describe && values.url === undefined) problems.push('--url or --describe is needed')
  if (players !== undefined && ratePerSecond !== undefined && daysPerMinute !== undefined) {
    problems.push('of --rate, --players and --days-per-minute, two give the third: drop one')
  }
  if (problems.length > 0) throw new TypeError(problems.join('\n'))
  if (describe) return { command: 'describe', players: players ?? 5000, ...world }
  return {
    command: 'drive',
    url: values.url ?? '',
    keyFile: values['key-file'],
    ratePerSecond,
    players,
    daysPerMinute,
    batchSize,
    concurrency,
    ...world,
  }
}

/**
 * Rate, players and speed hang together by how many events a player brings a day: two of them give
 * the third.
 */
export function pace(
  wanted: {
    ratePerSecond?: number | undefined
    players?: number | undefined
    daysPerMinute?: number | undefined
  },
  eventsPerPlayerDay: number,
): { ratePerSecond: number; players: number; daysPerMinute: number } {
  const { players, daysPerMinute } = wanted
  if (players !== undefined && daysPerMinute !== undefined) {
    const ratePerSecond = (players * eventsPerPlayerDay * daysPerMinute) / 60
    return { ratePerSecond, players, daysPerMinute }
  }
  const ratePerSecond = wanted.ratePerSecond ?? 200
  if (daysPerMinute !== undefined) {
    const needed = (ratePerSecond * 60) / (daysPerMinute * eventsPerPlayerDay)
    return { ratePerSecond, players: Math.max(1, Math.round(needed)), daysPerMinute }
  }
  const count = players ?? 2000
  return {
    ratePerSecond,
    players: count,
    daysPerMinute: (ratePerSecond * 60) / (count * eventsPerPlayerDay),
  }
}
