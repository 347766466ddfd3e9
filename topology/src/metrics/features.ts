// What does features expose beside its loop?
import type { Metric } from './metric.ts'

export const featureMetrics = {
  clockLate: {
    name: 'churnstream_features_clock_late_seconds',
    kind: 'gauge',
    help: 'For how long the first player was due whom the newest clock record left over; 0: nobody',
    unit: 'seconds',
    labels: ['partition'],
  },
} as const satisfies Record<string, Metric>
