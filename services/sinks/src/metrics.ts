// What do the sinks count beside their loop?
import { createCounter, createHistogram, type Metrics } from '@churnstream/runtime'
import { sinkMetrics } from '@churnstream/topology'

export type SinkMetrics = ReturnType<typeof createSinkMetrics>

export function createSinkMetrics({ registry }: Metrics) {
  return {
    rows: createCounter(registry, sinkMetrics.rows),
    batchSeconds: createHistogram(registry, sinkMetrics.batchSeconds),
  }
}
