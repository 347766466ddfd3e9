// Do the processes live, own their partitions and keep up?
import { everyServiceMetrics, loopMetrics } from '../../../src/index.ts'
import type { Board } from '../board.ts'

const rate = '[$__rate_interval]'
const { assignedPartitions, assignments, producersReplaced, loopAge } = loopMetrics
const { restoreRunning, restoreSeconds, transactionRecords, transactionSeconds } = loopMetrics

export const operationsBoard: Board = {
  uid: 'churnstream-operations',
  title: 'operations',
  about: 'Processes, consumer groups, transactions, restores, machines.',
  annotations: [],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Answering',
          about: '1 for each process that answers',
          kind: 'number',
          unit: 'short',
          queries: [{ expr: 'sum by (job) (up)', legend: '{{job}}' }],
        },
        {
          title: 'Ready',
          about: 'Processes that are ready',
          kind: 'number',
          unit: 'short',
          queries: [
            { expr: `sum by (service) (${everyServiceMetrics.ready.name})`, legend: '{{service}}' },
          ],
        },
        {
          title: 'Partitions owned',
          about: 'By all replicas of a service together: as many as its topic has',
          kind: 'number',
          unit: 'short',
          queries: [
            { expr: `sum by (service) (${assignedPartitions.name})`, legend: '{{service}}' },
          ],
        },
        {
          title: 'Alerts',
          about: 'Those that fire; docs/runbook.md has a section for each',
          kind: 'number',
          unit: 'short',
          emptyWhen: 'no alert fires',
          queries: [
            {
              expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
              legend: '{{severity}} {{alertname}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Groups and transactions',
      panels: [
        {
          title: 'Assignments',
          about: 'Each is a rebalance of the group; a start is one',
          kind: 'lines',
          unit: 'short',
          queries: [
            {
              expr: `sum by (service) (increase(${assignments.name}[5m]))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Producers replaced',
          about: 'After a fence, an unanswered commit, or what the batch needs being away',
          kind: 'lines',
          unit: 'short',
          queries: [
            {
              expr: `sum by (service, reason) (increase(${producersReplaced.name}[5m]))`,
              legend: '{{service}} {{reason}}',
            },
          ],
        },
        {
          title: 'Loop age',
          about: 'Time since the consumer last fetched or committed',
          kind: 'lines',
          unit: 's',
          queries: [
            { expr: `max by (service, instance) (${loopAge.name})`, legend: '{{service}} {{instance}}' },
          ],
        },
        {
          title: 'Transaction, p99',
          about: 'From the first record of a chunk to its commit',
          kind: 'lines',
          unit: 's',
          queries: [
            {
              expr: `histogram_quantile(0.99, sum by (le, service) (rate(${transactionSeconds.name}_bucket${rate})))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Transactions',
          about: 'A second',
          kind: 'lines',
          unit: 'cps',
          queries: [
            {
              expr: `sum by (service) (rate(${transactionSeconds.name}_count${rate}))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Records in a transaction',
          about: 'The mean; grows with the load and with the lag',
          kind: 'lines',
          unit: 'short',
          queries: [
            {
              expr: `sum by (service) (rate(${transactionRecords.name}_sum${rate})) / sum by (service) (rate(${transactionRecords.name}_count${rate}))`,
              legend: '{{service}}',
            },
          ],
        },
        {
          title: 'Restore',
          about: 'How long the longest one has been running, and the mean of the last hour',
          kind: 'lines',
          unit: 's',
          queries: [
            { expr: `max by (service) (${restoreRunning.name})`, legend: '{{service}} running' },
            {
              expr: `sum by (service) (increase(${restoreSeconds.name}_sum[1h])) / sum by (service) (increase(${restoreSeconds.name}_count[1h]))`,
              legend: '{{service}} mean',
              emptyWhen: 'nothing was restored in the last hour',
            },
          ],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Processor',
          about: 'Cores used by each process',
          kind: 'lines',
          unit: 'short',
          queries: [
            { expr: `rate(process_cpu_seconds_total${rate})`, legend: '{{job}} {{instance}}' },
          ],
        },
        {
          title: 'Memory',
          about: 'Resident; the heap of JavaScript is a part of it',
          kind: 'lines',
          unit: 'bytes',
          queries: [
            { expr: 'process_resident_memory_bytes', legend: '{{job}} {{instance}}' },
            { expr: 'nodejs_heap_size_used_bytes', legend: '{{job}} {{instance}} heap' },
          ],
        },
        {
          title: 'Event loop, p99',
          about: 'How late the process gets to what is due; above 0.1 s it is overloaded',
          kind: 'lines',
          unit: 's',
          queries: [{ expr: 'nodejs_eventloop_lag_p99_seconds', legend: '{{job}} {{instance}}' }],
        },
      ],
    },
  ],
}
