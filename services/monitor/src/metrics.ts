// What do Prometheus and its alerts see of the models?
import { DecodeProblem, Decoder, type MonitoringWindow, type Schemas } from '@churnstream/schemas'
import {
  createCounter,
  createGauge,
  type ConsumedRecord,
  type Kafka,
  type Log,
  type Metrics,
  untilDone,
} from '@churnstream/runtime'
import { monitorMetrics, topics } from '@churnstream/topology'
import type { Assessed } from './core/assessor.ts'

type Labels = Record<(typeof monitorMetrics.state.labels)[number], string>

/** As a number, so that an alert can compare it. */
const stateNumbers: Readonly<Record<string, number>> = {
  'no-profile': -2,
  'insufficient-data': -1,
  ok: 0,
  warning: 1,
  alarm: 2,
}
/** Windows this much older than the newest of their model are shown no more. */
const shownDays = 60

export interface MonitorMetrics {
  assessed(assessed: Assessed): void
  show(window: MonitoringWindow): void
}

export function createMonitorMetrics({ registry }: Pick<Metrics, 'registry'>): MonitorMetrics {
  const state = createGauge(registry, monitorMetrics.state)
  const confirmed = createGauge(registry, monitorMetrics.confirmed)
  const statistic = createGauge(registry, monitorMetrics.statistic)
  const rows = createGauge(registry, monitorMetrics.rows)
  const endsAt = createGauge(registry, monitorMetrics.windowEnd)
  const requests = createCounter(registry, monitorMetrics.requests)
  const held = createCounter(registry, monitorMetrics.held)
  const shown = new Map<string, { labels: Labels; toDay: number; subjects: [string, string][] }>()

  function hide(key: string): void {
    const old = shown.get(key)
    if (old === undefined) return
    for (const gauge of [state, confirmed, rows, endsAt]) gauge.remove(old.labels)
    for (const [name, subject] of old.subjects) {
      statistic.remove({ ...old.labels, statistic: name, subject })
    }
    shown.delete(key)
  }

  return {
    assessed(assessed) {
      for (const { modelName: model, reason } of assessed.requests) requests.inc({ model, reason })
      for (const { modelName: model, reason, guard } of assessed.held) {
        held.inc({ model, reason, guard })
      }
    },
    show(window) {
      const { modelName, modelVersion, role, market, segment, kind, toDay, statistics } = window
      const labels = { model: modelName, version: modelVersion, role, market, segment, kind }
      const key = Object.values(labels).join(' ')
      hide(key)
      const subjects = statistics.map(({ name, subject }): [string, string] => [name, subject])
      shown.set(key, { labels, toDay, subjects })
      state.set(labels, stateNumbers[window.state] ?? NaN)
      confirmed.set(labels, window.isConfirmed ? 1 : 0)
      rows.set(labels, window.rows)
      endsAt.set(labels, (toDay + 1) * 86_400)
      for (const { name, subject, value } of statistics) {
        statistic.set({ ...labels, statistic: name, subject }, value)
      }
      for (const [other, { labels: old, toDay: oldDay }] of shown) {
        if (old.model === modelName && oldDay < toDay - shownDays) hide(other)
      }
    },
  }
}

/** Shows what model-monitoring says from its start on, so that a restart forgets nothing. */
export async function showWindows(
  options: {
    readonly kafka: Kafka
    readonly schemas: Pick<Schemas, 'prepare'>
    readonly metrics: MonitorMetrics
    readonly log: Log
  },
  signal: AbortSignal,
): Promise<void> {
  const { kafka, schemas, metrics, log } = options
  const decoder = new Decoder('monitoring-window')
  const failed = Promise.withResolvers<never>()
  let taking: Promise<void> = Promise.resolve()
  const follower = kafka.follow(topics.modelMonitoring.name, (records) => {
    taking = taking.then(() => take(records))
    taking.catch(failed.reject)
  })
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await Promise.race([stopped, follower.finished, failed.promise])
  } finally {
    await follower.stop()
  }

  async function take(records: readonly ConsumedRecord[]): Promise<void> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    const onTrouble = (reason: string): void =>
      log.warn({ reason }, 'the schema registry will be asked again')
    const prepare = () => schemas.prepare(decoder, values, signal)
    if (!(await untilDone(prepare, { signal, onTrouble }))) return
    for (const value of values) {
      const window = decoder.decode(value)
      if (window instanceof DecodeProblem) log.error({ detail: window.detail }, 'unreadable window')
      else metrics.show(window)
    }
  }
}
