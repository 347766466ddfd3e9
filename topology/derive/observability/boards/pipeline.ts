// Does every event become a score, and how soon?
import {
  featureMetrics,
  ingestionMetrics,
  loopMetrics,
  services,
  sinkMetrics,
} from '../../../src/index.ts'
import type { Board } from '../board.ts'
import { errorRatio } from '../slo.ts'

const rate = '[$__rate_interval]'
const { eventToCommit, consumed, records, reasons, produced } = loopMetrics
const { lagSeconds, lagRecords, newestCommitted } = loopMetrics
const { events, requestSeconds, queued, queueCapacity, sendSeconds, sendRecords } = ingestionMetrics
const scorer = `service="${services.scorer.name}"`

const quantile = (share: number, name: string, matching = '', by = ''): string =>
  `histogram_quantile(${share}, sum by (le${by}) (rate(${name}_bucket{${matching}}${rate})))`

export const pipelineBoard: Board = {
  uid: 'churnstream-pipeline',
  title: 'pipeline',
  about: 'From the HTTP request to the row in PostgreSQL: promises, latency, lag, outcomes.',
  annotations: [],
  rows: [
    {
      title: 'Promises',
      panels: [
        {
          title: 'Scored within a second, last hour',
          about: 'Promised: 99 %',
          kind: 'number',
          unit: 'percentunit',
          queries: [{ expr: `1 - ${errorRatio('scoring', '1h')}`, legend: 'scored in time' }],
        },
        {
          title: 'Requests taken, last hour',
          about: 'Share of requests to ingestion not answered by a 5xx. Promised: 99.9 %',
          kind: 'number',
          unit: 'percentunit',
          queries: [{ expr: `1 - ${errorRatio('ingestion', '1h')}`, legend: 'taken' }],
        },
        {
          title: 'Ledger',
          about:
            'Committed records less those emitted, skipped and dead-lettered, over all partitions: always 0',
          kind: 'number',
          unit: 'short',
          queries: [
            {
              expr: `sum by (service) (${consumed.name}) - sum by (service) (${records.name})`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Oldest waiting record',
          about: 'Age of the oldest record that is not committed, by service',
          kind: 'number',
          unit: 's',
          queries: [{ expr: `max by (service) (${lagSeconds.name})`, legend: '{{service}}' }],
        },
      ],
    },
    {
      title: 'Latency',
      panels: [
        {
          title: 'Event to score',
          about: 'From taking an event to the commit of its score; a dot is a sampled one',
          kind: 'lines',
          unit: 's',
          exemplars: true,
          queries: [0.5, 0.99, 0.999].map((share) => ({
            expr: quantile(share, eventToCommit.name, scorer),
            legend: `p${share * 100}`,
          })),
        },
        {
          title: 'Event to commit by service, p99',
          about: 'The same up to the commit of each service: the widest step is the slow service',
          kind: 'lines',
          unit: 's',
          exemplars: true,
          queries: [
            { expr: quantile(0.99, eventToCommit.name, '', ', service'), legend: '{{service}}' },
          ],
        },
        {
          title: 'Freshness',
          about: 'Now less the time of the newest committed event, of the worst partition',
          kind: 'lines',
          unit: 's',
          queries: [
            {
              expr: `time() - min by (service) (${newestCommitted.name} > 0)`,
              legend: '{{service}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Flow',
      panels: [
        {
          title: 'Events received',
          about: 'By verdict of ingestion',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (verdict) (rate(${events.name}${rate}))`,
              legend: '{{verdict}}',
            },
          ],
        },
        {
          title: 'Records consumed',
          about: 'Committed records of each input',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (service, topic) (rate(${consumed.name}${rate}))`,
              legend: '{{service}} of {{topic}}',
            },
          ],
        },
        {
          title: 'Records produced',
          about: 'Committed records of each output, dead letters included',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (service, topic) (rate(${produced.name}${rate}))`,
              legend: '{{service}} to {{topic}}',
            },
          ],
        },
        {
          title: 'Lag in seconds, by partition',
          about: 'Age of the oldest record that is not committed; one line alone is one partition',
          kind: 'lines',
          unit: 's',
          queries: [
            {
              expr: `max by (service, partition) (${lagSeconds.name})`,
              legend: '{{service}} {{partition}}',
            },
          ],
        },
        {
          title: 'Lag in records',
          about: 'For sizing; alerts look at seconds',
          kind: 'lines',
          unit: 'short',
          queries: [{ expr: `sum by (service) (${lagRecords.name})`, legend: '{{service}}' }],
        },
        {
          title: 'Players left over by the clock',
          about: 'For how long the first has been due; a night may leave some for a quarter of an hour',
          kind: 'lines',
          unit: 's',
          queries: [
            {
              expr: `max by (partition) (${featureMetrics.clockLate.name})`,
              legend: '{{partition}}',
            },
          ],
        },
        {
          title: 'Write to PostgreSQL, p99',
          about: 'One statement of up to 1,000 rows',
          kind: 'lines',
          unit: 's',
          queries: [{ expr: quantile(0.99, sinkMetrics.batchSeconds.name), legend: 'p99' }],
        },
        {
          title: 'Rows stored',
          about: 'What PostgreSQL did with scores; already there: a batch was done again',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (result) (rate(${sinkMetrics.rows.name}${rate}))`,
              legend: '{{result}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Outcomes',
      panels: [
        {
          title: 'Outcomes',
          about: 'What became of consumed records',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (service, outcome) (rate(${records.name}${rate}))`,
              legend: '{{service}} {{outcome}}',
            },
          ],
        },
        {
          title: 'Skipped, by reason',
          about: 'A repeated event is a duplicate; one more than 30 days behind is too late',
          kind: 'lines',
          unit: 'cps',
          emptyWhen: 'no record was skipped',
          queries: [
            {
              expr: `sum by (service, reason) (rate(${reasons.name}{outcome="skip"}${rate}))`,
              legend: '{{service}} {{reason}}',
            },
          ],
        },
        {
          title: 'Dead letters, by reason',
          about: 'Records set aside with their bytes: npm run dlq lists them',
          kind: 'lines',
          unit: 'cps',
          emptyWhen: 'no record was set aside',
          queries: [
            {
              expr: `sum by (service, topic, reason) (rate(${reasons.name}{outcome="dead-letter"}${rate}))`,
              legend: '{{topic}} {{reason}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Ingestion',
      panels: [
        {
          title: 'Requests, by status',
          about: '503: full or without Kafka; 429: a player beyond its burst',
          kind: 'lines',
          unit: 'reqps',
          queries: [
            {
              expr: `sum by (status) (rate(${requestSeconds.name}_count${rate}))`,
              legend: '{{status}}',
            },
          ],
        },
        {
          title: 'Time to answer',
          about: 'Most of it is the acknowledgement of all in-sync replicas',
          kind: 'lines',
          unit: 's',
          queries: [
            { expr: quantile(0.99, requestSeconds.name), legend: 'request p99' },
            { expr: quantile(0.99, sendSeconds.name), legend: 'send to Kafka p99' },
          ],
        },
        {
          title: 'Records in a send',
          about: 'The mean; sends grow with the load',
          kind: 'lines',
          unit: 'short',
          queries: [
            {
              expr: `sum(rate(${sendRecords.name}_sum${rate})) / sum(rate(${sendRecords.name}_count${rate}))`,
              legend: 'mean',
            },
          ],
        },
        {
          title: 'Queue',
          about: 'Share of the room for events that wait; requests are refused from 80 % on',
          kind: 'lines',
          unit: 'percentunit',
          queries: [
            { expr: `${queued.name} / ${queueCapacity.name}`, legend: '{{instance}}' },
          ],
        },
      ],
    },
  ],
}
