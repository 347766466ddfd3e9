// What does the bridge count?
import { createCounter, createGauge, type Metrics } from '@churnstream/runtime'
import { bridgeMetrics } from '@churnstream/topology'

export type BridgeMetrics = ReturnType<typeof createBridgeMetrics>

export function createBridgeMetrics({ registry }: Metrics) {
  return {
    events: createCounter(registry, bridgeMetrics.events),
    announcedEpoch: createGauge(registry, bridgeMetrics.announcedEpoch),
    registryRead: createGauge(registry, bridgeMetrics.registryRead),
    deliveries: createCounter(registry, bridgeMetrics.deliveries),
    subscribed: createGauge(registry, bridgeMetrics.subscribed),
    unreadable: createCounter(registry, bridgeMetrics.unreadable),
    unreadableVersions: createGauge(registry, bridgeMetrics.unreadableVersions),
    rollbacks: createCounter(registry, bridgeMetrics.rollbacks),
  }
}
