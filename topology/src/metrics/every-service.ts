// What does every service expose?
import type { Metric } from './metric.ts'

export const everyServiceMetrics = {
  ready: {
    name: 'churnstream_ready',
    kind: 'gauge',
    help: '1 while /health/ready answers 200',
    unit: 'boolean',
    labels: [],
  },
} as const satisfies Record<string, Metric>
