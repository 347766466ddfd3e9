// Which service levels are kept, and when is their budget spent too fast?
import { ingestionMetrics, loopMetrics, services } from '../../src/index.ts'
import type { Alert } from './alert.ts'

export interface ServiceLevel {
  readonly name: string
  readonly title: string
  /** Share of good ones that is promised over 30 days. */
  readonly objective: number
  /** Rate of the good, and of all, over a window. */
  readonly good: (window: string) => string
  readonly all: (window: string) => string
  /** Series in which this share is bad, for so many minutes. */
  readonly example: (badShare: number, minutes: number) => Readonly<Record<string, string>>
}

export interface Recording {
  readonly record: string
  readonly expr: string
}

const scorer = `service="${services.scorer.name}"`
/** Prometheus 3 writes whole bounds as 1.0. */
const oneSecond = 'le=~"1|1\\\\.0"'
const { eventToCommit } = loopMetrics
const { requestSeconds } = ingestionMetrics

export const serviceLevels: readonly ServiceLevel[] = [
  {
    name: 'scoring',
    title: 'events scored within a second of being taken',
    objective: 0.99,
    good: (window) => `sum(rate(${eventToCommit.name}_bucket{${scorer},${oneSecond}}[${window}]))`,
    all: (window) => `sum(rate(${eventToCommit.name}_count{${scorer}}[${window}]))`,
    example: (badShare, minutes) => ({
      [`${eventToCommit.name}_bucket{${scorer},le="1"}`]: `0+${1000 * (1 - badShare)}x${minutes}`,
      [`${eventToCommit.name}_count{${scorer}}`]: `0+1000x${minutes}`,
    }),
  },
  {
    name: 'ingestion',
    title: 'requests to ingestion not answered by a 5xx',
    objective: 0.999,
    good: (window) => `sum(rate(${requestSeconds.name}_count{status!~"5.."}[${window}]))`,
    all: (window) => `sum(rate(${requestSeconds.name}_count[${window}]))`,
    example: (badShare, minutes) => ({
      [`${requestSeconds.name}_count{status="202"}`]: `0+${1000 * (1 - badShare)}x${minutes}`,
      [`${requestSeconds.name}_count{status="503"}`]: `0+${1000 * badShare}x${minutes}`,
    }),
  },
]

/** Of the budget of 30 days: 2 % in an hour or 5 % in six; 10 % in a day or in three. */
const burns = {
  page: [
    { factor: 14.4, long: '1h', short: '5m' },
    { factor: 6, long: '6h', short: '30m' },
  ],
  ticket: [
    { factor: 3, long: '1d', short: '2h' },
    { factor: 1, long: '3d', short: '6h' },
  ],
} as const

const windows = [...new Set(Object.values(burns).flat().flatMap(({ long, short }) => [short, long]))]

export const errorRatio = (name: string, window: string): string =>
  `slo:${name}_errors:ratio_rate${window}`

export function recordingsOf({ name, good, all }: ServiceLevel): Recording[] {
  return windows.map((window) => ({
    record: errorRatio(name, window),
    expr: `1 - ${good(window)} / ${all(window)}`,
  }))
}

/** The long window says that it matters, the short one that it still goes on. */
export function burnAlertsOf(level: ServiceLevel): Alert[] {
  const { name, title, objective, example } = level
  const budget = 1 - objective
  const subject = `${name[0]?.toUpperCase()}${name.slice(1)}`
  const exprOf = (severity: keyof typeof burns): string =>
    burns[severity]
      .map(({ factor, long, short }) => {
        const limit = Number((factor * budget).toPrecision(6))
        const over = (window: string) => `${errorRatio(name, window)} > ${limit}`
        return `(${over(long)} and ${over(short)})`
      })
      .join(' or ')
  const quiet = { series: example(budget / 2, 120), at: '2h' }
  return [
    {
      name: `${subject}BudgetBurnsFast`,
      expr: exprOf('page'),
      for: '0m',
      severity: 'page',
      summary: `Of the ${title} so few are good that the budget of 30 days is gone within days`,
      cases: { fires: { series: example(20 * budget, 90), at: '90m' }, quiet },
    },
    {
      name: `${subject}BudgetBurnsSlow`,
      expr: exprOf('ticket'),
      for: '0m',
      severity: 'ticket',
      summary: `Of the ${title} fewer are good than promised, for a day or longer`,
      cases: { fires: { series: example(4 * budget, 180), at: '3h' }, quiet },
    },
  ]
}
