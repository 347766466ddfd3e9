// What does ingestion count?
import { createCounter, createGauge, createHistogram, type Metrics } from '@churnstream/runtime'
import { ingestionMetrics } from '@churnstream/topology'

export type IngestionMetrics = ReturnType<typeof createIngestionMetrics>

export function createIngestionMetrics({ registry }: Metrics) {
  return {
    events: createCounter(registry, ingestionMetrics.events),
    requestSeconds: createHistogram(registry, ingestionMetrics.requestSeconds),
    queued: createGauge(registry, ingestionMetrics.queued),
    queueCapacity: createGauge(registry, ingestionMetrics.queueCapacity),
    sends: createCounter(registry, ingestionMetrics.sends),
    sendRecords: createHistogram(registry, ingestionMetrics.sendRecords),
    sendSeconds: createHistogram(registry, ingestionMetrics.sendSeconds),
    clockWritten: createGauge(registry, ingestionMetrics.clockWritten),
  }
}
