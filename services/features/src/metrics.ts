// What does features count beside its loop?
import { createGauge, type Metrics } from '@churnstream/runtime'
import { featureMetrics } from '@churnstream/topology'

export type FeatureMetrics = ReturnType<typeof createFeatureMetrics>

export function createFeatureMetrics({ registry }: Metrics) {
  return { clockLate: createGauge(registry, featureMetrics.clockLate) }
}
