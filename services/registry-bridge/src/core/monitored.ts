// Which metrics of a version's run does a window become?
import type { MonitoringWindow } from '@churnstream/schemas'

export interface MonitoredMetrics {
  readonly metrics: Readonly<Record<string, number>>
  /** The window's last day: a window that is told again is the same point. */
  readonly step: number
  /** Milliseconds since 1970: the end of the window, in event time. */
  readonly atMs: number
}

const dayMs = 86_400_000

/** Of all players together; undefined for a part of them, and for a window that says nothing. */
export function toMetrics(window: MonitoringWindow): MonitoredMetrics | undefined {
  const { kind, market, segment, rows, toDay, statistics } = window
  if (market !== '*' || segment !== '*' || statistics.length === 0) return undefined
  const metrics: Record<string, number> = {}
  if (kind === 'drift') {
    const indexes = statistics.filter(({ name }) => name === 'psi')
    const features = indexes.filter(({ subject }) => subject !== 'score')
    metrics['drift_max_psi'] = Math.max(...features.map(({ value }) => value))
    metrics['drifted_features'] = features.filter(({ state }) => state === 'alarm').length
    const score = indexes.find(({ subject }) => subject === 'score')
    if (score) metrics['score_psi'] = score.value
    metrics['drift_rows'] = rows
  } else if (kind === 'estimate' || kind === 'performance') {
    for (const { name, value } of statistics) metrics[name.replaceAll('-', '_')] = value
    metrics[`${kind}_rows`] = rows
  } else return undefined
  const told = Object.entries(metrics).filter(([, value]) => Number.isFinite(value))
  return {
    metrics: Object.fromEntries(told.map(([name, value]) => [`monitor_${name}`, value])),
    step: toDay,
    atMs: (toDay + 1) * dayMs,
  }
}
