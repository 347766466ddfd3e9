// What does ingestion count beside what every service counts?
import type { Metrics } from '@churnstream/runtime'
import { Counter, Gauge, Histogram } from 'prom-client'

export type IngestionMetrics = ReturnType<typeof createIngestionMetrics>

export function createIngestionMetrics({ registry }: Pick<Metrics, 'registry'>) {
  const registers = [registry]
  return {
    events: new Counter({
      name: 'churnstream_ingested_events_total',
      help: 'Events received by verdict; accepted ones are acknowledged by all in-sync replicas',
      labelNames: ['verdict', 'reason'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'churnstream_ingestion_request_seconds',
      help: 'Time from the head of a POST to its answer',
      labelNames: ['status'],
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20],
      registers,
    }),
    queued: new Gauge({
      name: 'churnstream_ingestion_queued_events',
      help: 'Events that wait for their acknowledgement',
      registers,
    }),
    sends: new Counter({
      name: 'churnstream_ingestion_sends_total',
      help: 'Sends to Kafka; a failed one has an unknown outcome and its producer is replaced',
      labelNames: ['result'],
      registers,
    }),
    sendRecords: new Histogram({
      name: 'churnstream_ingestion_send_records',
      help: 'Records in one send',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
      registers,
    }),
    sendSeconds: new Histogram({
      name: 'churnstream_ingestion_send_seconds',
      help: 'Time from a send to its acknowledgement',
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20],
      registers,
    }),
  }
}
