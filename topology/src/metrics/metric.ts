// What is a metric, and which labels may it have?
import type { ServiceId } from '../services.ts'

/** Every label and why its values are few. None names a player, an event or an offset. */
export const labels = {
  service: 'whose loop it is',
  topic: 'a topic of the topology',
  partition: 'a partition of that topic',
  outcome: 'emit, skip or dead-letter',
  reason: 'a slug that stands in our code',
  verdict: 'accepted, rejected or deferred',
  status: 'an HTTP status that ingestion answers',
  result: 'a slug that stands in our code',
  origin: 'webhook, reconcile or rollback',
  model: 'a registered model: one for each market',
  version: 'a version that was promoted while the process ran',
  key: 'model@alias',
  role: 'champion or challenger',
  market: 'a market with players, or * for all',
  segment: 'a part of the players that stands in our code, or * for all',
  kind: 'quality, drift, estimate or performance',
  statistic: 'a slug that stands in our code',
  subject: 'a feature of the catalogue, the score, or nothing',
  guard: 'a slug that stands in our code',
} as const

export type Label = keyof typeof labels

export interface Metric {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** What one of its values counts or measures; an instant is in seconds since 1970. */
  readonly unit:
    | 'records'
    | 'seconds'
    | 'instant'
    | 'partitions'
    | 'events'
    | 'occurrences'
    | 'versions'
    | 'rows'
    | 'ratio'
    | 'epoch'
    | 'boolean'
    | 'state'
    | 'statistic'
  readonly labels: readonly Label[]
  /** Upper bounds, of a histogram. */
  readonly buckets?: readonly number[]
  /** Series that are there from the start: what jumps from nothing to 1 is no increase to Prometheus. */
  readonly initial?: readonly Readonly<Record<string, string>>[]
}

/** Metrics that the same services expose. */
export interface MetricGroup {
  readonly exposedBy: readonly ServiceId[]
  readonly metrics: Readonly<Record<string, Metric>>
}

export const secondsBuckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30]
