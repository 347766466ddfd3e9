// What does the bridge count?
import type { Metrics } from '@churnstream/runtime'
import { Counter, Gauge } from 'prom-client'

export interface BridgeMetrics {
  readonly events: Counter<'origin'>
  readonly deliveries: Counter<'result'>
  readonly subscribed: Gauge
  readonly unreadable: Counter<'topic'>
  readonly unreadableVersions: Gauge
  readonly rollbacks: Counter<'result'>
}

export function createBridgeMetrics({ registry }: Pick<Metrics, 'registry'>): BridgeMetrics {
  const registers = [registry]
  return {
    events: new Counter({
      name: 'churnstream_registry_events_total',
      help: 'Registry events written, by how the change was found; reconcile: no webhook told of it',
      labelNames: ['origin'],
      registers,
    }),
    deliveries: new Counter({
      name: 'churnstream_webhook_deliveries_total',
      help: 'Webhook deliveries by what became of them',
      labelNames: ['result'],
      registers,
    }),
    subscribed: new Gauge({
      name: 'churnstream_webhook_subscribed',
      help: '1 when MLflow had our webhook at the last poll',
      registers,
    }),
    unreadable: new Counter({
      name: 'churnstream_unreadable_records_total',
      help: 'Records of a followed topic that nobody can read, by topic',
      labelNames: ['topic'],
      registers,
    }),
    unreadableVersions: new Gauge({
      name: 'churnstream_unannounced_versions',
      help: 'Versions that an alias names and whose folder can not be announced',
      registers,
    }),
    rollbacks: new Counter({
      name: 'churnstream_rollbacks_total',
      help: 'Automatic rollbacks of an unhealthy champion: done, or why not',
      labelNames: ['result'],
      registers,
    }),
  }
}
