// Which metrics exist, and which service exposes each? Services make theirs from these values alone.
import { services, type Service, type ServiceId } from '../services.ts'
import { everyServiceMetrics } from './every-service.ts'
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
  ingestionMetrics,
  loopMetrics,
  monitorMetrics,
  scorerMetrics,
  sinkMetrics,
}

const ids = Object.keys(services) as ServiceId[]
const consuming = ids.filter((id) => (services[id] as Service).consumes.length > 0)

export const metricGroups: readonly MetricGroup[] = [
  { exposedBy: ids, metrics: everyServiceMetrics },
  { exposedBy: consuming, metrics: loopMetrics },
  { exposedBy: ['ingestion'], metrics: ingestionMetrics },
  { exposedBy: ['scorer'], metrics: scorerMetrics },
  { exposedBy: ['registryBridge'], metrics: bridgeMetrics },
  { exposedBy: ['sinks'], metrics: sinkMetrics },
  // The service joins topology/src/services.ts with these names.
  { exposedBy: [], metrics: monitorMetrics },
]

/** What every Node process tells of itself, and Prometheus of what it scrapes; boards may use these. */
export const foreignMetrics = [
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
  'up',
  'ALERTS',
] as const

/** The names under which a service's metric is found in Prometheus. */
export function exposedNames({ name, kind }: { name: string; kind: string }): string[] {
  return kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}
