// What does the monitor expose of the newest windows?
import type { Metric } from './metric.ts'

/** Of one window: two markets or segments of a version are two. */
const windowLabels = ['model', 'version', 'role', 'market', 'segment', 'kind'] as const

export const monitorMetrics = {
  state: {
    name: 'churnstream_monitor_state',
    kind: 'gauge',
    help: 'Newest window: 0 ok, 1 warning, 2 alarm, -1 insufficient data, -2 no profile',
    unit: 'state',
    labels: windowLabels,
  },
  confirmed: {
    name: 'churnstream_monitor_confirmed',
    kind: 'gauge',
    help: '1 when the alarm of the newest window stood in two of the last three',
    unit: 'boolean',
    labels: windowLabels,
  },
  statistic: {
    name: 'churnstream_monitor_statistic',
    kind: 'gauge',
    help: 'Figures of the newest window',
    unit: 'statistic',
    labels: [...windowLabels, 'statistic', 'subject'],
  },
  rows: {
    name: 'churnstream_monitor_rows',
    kind: 'gauge',
    help: 'Rows of the newest window',
    unit: 'rows',
    labels: windowLabels,
  },
  windowEnd: {
    name: 'churnstream_monitor_window_end_timestamp_seconds',
    kind: 'gauge',
    help: 'Event time at which the newest window ended',
    unit: 'instant',
    labels: windowLabels,
  },
  requests: {
    name: 'churnstream_retraining_requests_total',
    kind: 'counter',
    help: 'Requests for a new version, by reason',
    unit: 'occurrences',
    labels: ['model', 'reason'],
  },
  held: {
    name: 'churnstream_retraining_held_total',
    kind: 'counter',
    help: 'Reasons for a new version that a guard held back',
    unit: 'occurrences',
    labels: ['model', 'reason', 'guard'],
  },
} as const satisfies Record<string, Metric>
