// What does ingestion expose?
import type { Metric } from './metric.ts'

const buckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20]

export const ingestionMetrics = {
  events: {
    name: 'churnstream_ingested_events_total',
    kind: 'counter',
    help: 'Events received by verdict; accepted ones are acknowledged by all in-sync replicas',
    unit: 'events',
    labels: ['verdict', 'reason'],
  },
  requestSeconds: {
    name: 'churnstream_ingestion_request_seconds',
    kind: 'histogram',
    help: 'Time from the head of a POST to its answer',
    unit: 'seconds',
    labels: ['status'],
    buckets,
    initial: [{ status: '202' }, { status: '503' }],
  },
  queued: {
    name: 'churnstream_ingestion_queued_events',
    kind: 'gauge',
    help: 'Events that wait for their acknowledgement',
    unit: 'events',
    labels: [],
  },
  queueCapacity: {
    name: 'churnstream_ingestion_queue_capacity_events',
    kind: 'gauge',
    help: 'Events that may wait at most; from 80 % on requests are refused',
    unit: 'events',
    labels: [],
  },
  sends: {
    name: 'churnstream_ingestion_sends_total',
    kind: 'counter',
    help: 'Sends to Kafka; a failed one has an unknown outcome and its producer is replaced',
    unit: 'occurrences',
    labels: ['result'],
    initial: [{ result: 'acknowledged' }, { result: 'failed' }],
  },
  sendRecords: {
    name: 'churnstream_ingestion_send_records',
    kind: 'histogram',
    help: 'Records in one send',
    unit: 'records',
    labels: [],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
  },
  sendSeconds: {
    name: 'churnstream_ingestion_send_seconds',
    kind: 'histogram',
    help: 'Time from a send to its acknowledgement',
    unit: 'seconds',
    labels: [],
    buckets,
  },
  clockWritten: {
    name: 'churnstream_clock_written_timestamp_seconds',
    kind: 'gauge',
    help: 'When this process last wrote the clock records; 0 until it has, or when it writes none',
    unit: 'instant',
    labels: [],
  },
} as const satisfies Record<string, Metric>
