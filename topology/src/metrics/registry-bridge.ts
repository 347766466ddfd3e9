// What does the registry bridge expose?
import { topics } from '../topics.ts'
import type { Metric } from './metric.ts'

export const bridgeMetrics = {
  events: {
    name: 'churnstream_registry_events_total',
    kind: 'counter',
    help: 'Registry events written, by how the change was found; reconcile: no webhook told of it',
    unit: 'records',
    labels: ['origin'],
    initial: [{ origin: 'webhook' }, { origin: 'reconcile' }, { origin: 'rollback' }],
  },
  announcedEpoch: {
    name: 'churnstream_announced_epoch',
    kind: 'gauge',
    help: 'Newest epoch that stands in the topic for this alias',
    unit: 'epoch',
    labels: ['key'],
  },
  registryRead: {
    name: 'churnstream_registry_read_timestamp_seconds',
    kind: 'gauge',
    help: 'When MLflow was last read whole',
    unit: 'instant',
    labels: [],
  },
  deliveries: {
    name: 'churnstream_webhook_deliveries_total',
    kind: 'counter',
    help: 'Webhook deliveries by what became of them',
    unit: 'occurrences',
    labels: ['result'],
  },
  subscribed: {
    name: 'churnstream_webhook_subscribed',
    kind: 'gauge',
    help: '1 when MLflow had our webhook at the last poll',
    unit: 'boolean',
    labels: [],
  },
  unreadable: {
    name: 'churnstream_unreadable_records_total',
    kind: 'counter',
    help: 'Records of a followed topic that nobody can read, by topic',
    unit: 'records',
    labels: ['topic'],
    initial: [{ topic: topics.registryEvents.name }, { topic: topics.loadReports.name }],
  },
  unreadableVersions: {
    name: 'churnstream_unannounced_versions',
    kind: 'gauge',
    help: 'Versions that an alias names and whose folder can not be announced',
    unit: 'versions',
    labels: [],
  },
  rollbacks: {
    name: 'churnstream_rollbacks_total',
    kind: 'counter',
    help: 'Automatic rollbacks of an unhealthy champion: done, or why not',
    unit: 'occurrences',
    labels: ['result'],
    initial: [
      { result: 'done' },
      { result: 'pinned' },
      { result: 'no-champion' },
      { result: 'no-previous' },
      { result: 'previous-rolled-back' },
      { result: 'previous-unhealthy' },
    ],
  },
} as const satisfies Record<string, Metric>
