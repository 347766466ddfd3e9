// Which metrics exist, and which service exposes each? Services make theirs from these values alone.
import { processIds, services, type Service } from '../services.ts'
import { everyServiceMetrics } from './every-service.ts'
import { featureMetrics } from './features.ts'
import { ingestionMetrics } from './ingestion.ts'
import { loopMetrics } from './loop.ts'
import type { MetricGroup } from './metric.ts'
import { monitorMetrics } from './monitor.ts'
import { bridgeMetrics } from './registry-bridge.ts'
import { scorerMetrics } from './scorer.ts'
import { sinkMetrics } from './sinks.ts'

export type { Label, Metric, MetricGroup } from './metric.ts'
export { labels as metricLabels } from './metric.ts'
export {
  bridgeMetrics,
  everyServiceMetrics,
  featureMetrics,
  ingestionMetrics,
  loopMetrics,
  monitorMetrics,
  scorerMetrics,
  sinkMetrics,
}

const loopNames = Object.values<Service>(services).flatMap(({ name, consumes, within }) =>
  consumes.length > 0 ? [within ?? name] : [],
)
const consuming = processIds.filter((id) => loopNames.includes(services[id].name))

export const metricGroups: readonly MetricGroup[] = [
  { exposedBy: processIds, metrics: everyServiceMetrics },
  { exposedBy: consuming, metrics: loopMetrics },
  { exposedBy: ['ingestion'], metrics: ingestionMetrics },
  { exposedBy: ['features'], metrics: featureMetrics },
  { exposedBy: ['scorer'], metrics: scorerMetrics },
  { exposedBy: ['registryBridge'], metrics: bridgeMetrics },
  { exposedBy: ['sinks'], metrics: sinkMetrics },
  { exposedBy: ['monitor'], metrics: monitorMetrics },
]

/**
 * What every Node process tells of itself, Prometheus of what it scrapes, and on Kubernetes the kubelet
 * of volumes and Strimzi of certificates; boards and alerts may use these.
 */
export const foreignMetrics = [
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
  'kubelet_volume_stats_available_bytes',
  'kubelet_volume_stats_capacity_bytes',
  'strimzi_certificate_expiration_timestamp_ms',
  'up',
  'ALERTS',
] as const

/** The names under which a service's metric is found in Prometheus. */
export function exposedNames({ name, kind }: { name: string; kind: string }): string[] {
  return kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}
