// When must a person look, and how is each of these moments proved?
import {
  bridgeMetrics as bridge,
  featureMetrics,
  ingestionMetrics as ingestion,
  loopMetrics as loop,
  monitorMetrics as monitor,
  scorerMetrics as scorer,
  everyServiceMetrics as every,
  fused,
  processIds,
  services,
  topics,
  type Service,
} from '../../src/index.ts'
import type { Alert } from './alert.ts'
import { burnAlertsOf, serviceLevels } from './slo.ts'

const all: readonly Service[] = Object.values(services)
const jobs = [...processIds.map((id) => services[id]), fused].map(({ name }) => name).join('|')
const flows = all.flatMap(({ name, consumes }) => consumes.map((topic) => ({ name, topic })))
const { features } = services
const activity = topics.playerActivity.name

/** Series of a counter that stays, and of one that grows by one after ten minutes. */
const stays = '5x30'
const grows = '5x10 6x20'
const perMinute = (n: number) => `0+${n}x30`

const confirmedOf = (name: string, kind: string, what: string): Alert => {
  const series = `${monitor.confirmed.name}{model="m",version="3",role="champion",kind="${kind}"}`
  return {
    name,
    expr: `max by (model, version) (${monitor.confirmed.name}{role="champion",kind="${kind}"}) == 1`,
    for: '0m',
    severity: 'ticket',
    summary: `${what} of {{ $labels.model }} version {{ $labels.version }} in two of three windows`,
    cases: {
      fires: { series: { [series]: '0x3 1x10' }, at: '8m' },
      quiet: {
        series: { [series]: '0x15', [series.replace('champion', 'challenger')]: '1x15' },
        at: '8m',
      },
    },
  }
}

/** Of the volumes and certificates of the cluster that runs us, as k8s/ names it. */
const namespace = 'churnstream'
const ours = (metric: string, more = '') => `${metric}{namespace="${namespace}"${more}}`
const volume = ',persistentvolumeclaim="data-0-kafka-0"'
const certificate = `strimzi_certificate_expiration_timestamp_ms{resource_namespace="${namespace}",type="cluster-ca"}`
const daySeconds = 86_400

/** A reason to look, never to wake somebody. */
const confirmedAlerts = [
  confirmedOf('FeedBroken', 'quality', 'Inputs are missing or unknown'),
  confirmedOf('InputsDrifted', 'drift', 'Inputs or scores are not those of the training'),
  confirmedOf('EstimateFell', 'estimate', 'Fewer players are told apart, as far as scores say,'),
  confirmedOf('PerformanceFell', 'performance', 'Scores and what became of players disagree'),
]

export const alerts: readonly Alert[] = [
  ...serviceLevels.flatMap(burnAlertsOf),
  {
    name: 'ServiceDown',
    expr: `up{job=~"${jobs}"} == 0`,
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.job }} at {{ $labels.instance }} does not answer',
    cases: {
      fires: { series: { 'up{job="scorer"}': '1x5 0x10' }, at: '8m' },
      quiet: { series: { 'up{job="scorer"}': '1x15', 'up{job="other"}': '0x15' }, at: '15m' },
    },
  },
  {
    name: 'ServiceNotReady',
    expr: `${every.ready.name} == 0`,
    for: '5m',
    severity: 'page',
    summary: '{{ $labels.service }} has not been ready for five minutes',
    cases: {
      fires: { series: { 'churnstream_ready{service="sinks"}': '0x10' }, at: '6m' },
      quiet: { series: { 'churnstream_ready{service="sinks"}': '0x3 1x10' }, at: '10m' },
    },
  },
  {
    name: 'PartitionsWithoutOwner',
    expr: all
      .filter(({ consumes }) => consumes.length > 0)
      .map(({ name, consumes }) => {
        const owned = `${loop.assignedPartitions.name}{service="${name}"}`
        const lanes = Math.max(...consumes.map(({ partitions }) => partitions))
        return `sum by (service) (${owned}) < ${lanes}`
      })
      .join(' or '),
    for: '2m',
    severity: 'page',
    summary: 'The replicas of {{ $labels.service }} own {{ $value }} partitions together: too few',
    cases: {
      fires: {
        series: { 'churnstream_assigned_partitions{service="features",instance="a"}': '8x3 4x10' },
        at: '8m',
      },
      quiet: {
        series: {
          'churnstream_assigned_partitions{service="features",instance="a"}': '4x20',
          'churnstream_assigned_partitions{service="features",instance="b"}': '4x20',
        },
        at: '10m',
      },
    },
  },
  {
    name: 'LagHigh',
    expr: `max by (service, topic) (${loop.lagSeconds.name}) > 60`,
    for: '2m',
    severity: 'page',
    summary:
      'The oldest record of {{ $labels.topic }} that {{ $labels.service }} has not done waits for {{ $value | humanizeDuration }}',
    cases: {
      fires: {
        series: { 'churnstream_lag_seconds{service="scorer",topic="t",partition="3"}': '0+60x10' },
        at: '5m',
      },
      quiet: {
        series: { 'churnstream_lag_seconds{service="scorer",topic="t",partition="3"}': '30x10' },
        at: '10m',
      },
    },
  },
  {
    name: 'LoopStuck',
    expr: `max by (service, instance) (${loop.loopAge.name}) > 120`,
    for: '1m',
    severity: 'page',
    summary:
      'The loop of {{ $labels.service }} at {{ $labels.instance }} has neither fetched nor committed for {{ $value | humanizeDuration }}',
    cases: {
      fires: {
        series: { 'churnstream_loop_age_seconds{service="sinks",instance="a"}': '0+60x10' },
        at: '6m',
      },
      quiet: {
        series: { 'churnstream_loop_age_seconds{service="sinks",instance="a"}': '0x3 90 0x10' },
        at: '10m',
      },
    },
  },
  {
    name: 'StageStopped',
    expr: flows
      .map(({ name, topic }) => {
        const arriving =
          topic.name === activity
            ? `sum(rate(${ingestion.events.name}{verdict="accepted"}[5m]))`
            : `sum(rate(${loop.produced.name}{topic="${topic.name}"}[5m]))`
        const own = `service="${name}",topic="${topic.name}"`
        const stands = `sum(rate(${loop.consumed.name}{${own}}[5m])) == 0`
        return `label_replace(${arriving} > 0 and ${stands}, "service", "${name}", "", "")`
      })
      .join(' or '),
    for: '2m',
    severity: 'page',
    summary: '{{ $labels.service }} commits nothing although its input goes on',
    cases: {
      fires: {
        series: {
          'churnstream_produced_records_total{topic="feature-vectors"}': perMinute(100),
          'churnstream_consumed_records_total{service="scorer",topic="feature-vectors"}': stays,
        },
        at: '10m',
      },
      quiet: {
        series: {
          'churnstream_produced_records_total{topic="feature-vectors"}': perMinute(100),
          'churnstream_consumed_records_total{service="scorer",topic="feature-vectors"}':
            perMinute(1),
          'churnstream_produced_records_total{topic="churn-scores"}': stays,
          'churnstream_consumed_records_total{service="sinks",topic="churn-scores"}': stays,
        },
        at: '10m',
      },
    },
  },
  {
    name: 'LedgerOff',
    expr: `abs(sum by (service, topic, partition) (${loop.consumed.name}) - sum by (service, topic, partition) (${loop.records.name})) > 0`,
    for: '2m',
    severity: 'page',
    summary:
      '{{ $labels.service }} committed {{ $value }} records of {{ $labels.topic }}-{{ $labels.partition }} without an outcome, or counted some twice',
    cases: {
      fires: {
        series: {
          'churnstream_consumed_records_total{service="s",topic="t",partition="0"}': perMinute(10),
          'churnstream_records_total{service="s",topic="t",partition="0",outcome="emit"}':
            perMinute(9),
        },
        at: '10m',
      },
      quiet: {
        series: {
          'churnstream_consumed_records_total{service="s",topic="t",partition="0"}': perMinute(10),
          'churnstream_records_total{service="s",topic="t",partition="0",outcome="emit"}':
            perMinute(7),
          'churnstream_records_total{service="s",topic="t",partition="0",outcome="skip"}':
            perMinute(2),
          'churnstream_records_total{service="s",topic="t",partition="0",outcome="dead-letter"}':
            perMinute(1),
        },
        at: '10m',
      },
    },
  },
  {
    name: 'NoActivity',
    expr: `time() - min by (service) (${loop.newestCommitted.name}{service="${features.name}"} > 0) > 600`,
    for: '0m',
    severity: 'ticket',
    summary:
      'A partition of player-activity has brought nothing for {{ $value | humanizeDuration }}, not even a clock record',
    cases: {
      fires: {
        series: {
          'churnstream_newest_committed_timestamp_seconds{service="features",partition="0"}':
            '0+60x5 300x20',
          'churnstream_newest_committed_timestamp_seconds{service="features",partition="1"}':
            perMinute(60),
        },
        at: '20m',
      },
      quiet: {
        series: {
          'churnstream_newest_committed_timestamp_seconds{service="features",partition="0"}':
            perMinute(60),
        },
        at: '20m',
      },
    },
  },
  {
    name: 'ClockStopped',
    expr: `time() - (max(${ingestion.clockWritten.name}) > 0) > 300`,
    for: '0m',
    severity: 'page',
    summary:
      'No clock records for {{ $value | humanizeDuration }}: players who fall silent are not scored',
    cases: {
      fires: {
        series: { 'churnstream_clock_written_timestamp_seconds{instance="a"}': '0+60x5 300x20' },
        at: '12m',
      },
      quiet: {
        series: {
          'churnstream_clock_written_timestamp_seconds{instance="a"}': '0x20',
          'churnstream_clock_written_timestamp_seconds{instance="b"}': perMinute(60),
        },
        at: '12m',
      },
    },
  },
  {
    name: 'ClockBehind',
    expr: `max by (partition) (${featureMetrics.clockLate.name}) > 3600`,
    for: '30m',
    severity: 'ticket',
    summary:
      'Silent players of partition {{ $labels.partition }} are scored {{ $value | humanizeDuration }} late',
    cases: {
      fires: {
        series: { [`${featureMetrics.clockLate.name}{partition="0",instance="a"}`]: '0x5 4000x40' },
        at: '40m',
      },
      quiet: {
        series: {
          // A night that is over in a quarter of an hour, and a day without a clock that is made up for.
          [`${featureMetrics.clockLate.name}{partition="0",instance="a"}`]: '0x5 0+60x15 0x20',
          [`${featureMetrics.clockLate.name}{partition="1",instance="a"}`]: '86400x20 0x20',
        },
        at: '40m',
      },
    },
  },
  {
    name: 'IngestionQueueFull',
    expr: `${ingestion.queued.name} / ${ingestion.queueCapacity.name} > 0.8`,
    for: '1m',
    severity: 'ticket',
    summary: 'Ingestion at {{ $labels.instance }} refuses requests: its queue is full',
    cases: {
      fires: {
        series: {
          churnstream_ingestion_queued_events: '17000x10',
          churnstream_ingestion_queue_capacity_events: '20000x10',
        },
        at: '5m',
      },
      quiet: {
        series: {
          churnstream_ingestion_queued_events: '9000x10',
          churnstream_ingestion_queue_capacity_events: '20000x10',
        },
        at: '5m',
      },
    },
  },
  {
    name: 'SendsFail',
    expr: `sum(increase(${ingestion.sends.name}{result="failed"}[10m])) > 0`,
    for: '0m',
    severity: 'ticket',
    summary: 'Sends of ingestion to Kafka were not acknowledged; their callers repeat the events',
    cases: {
      fires: {
        series: { 'churnstream_ingestion_sends_total{result="failed"}': grows },
        at: '12m',
      },
      quiet: {
        series: {
          'churnstream_ingestion_sends_total{result="failed"}': stays,
          'churnstream_ingestion_sends_total{result="acknowledged"}': perMinute(9),
        },
        at: '12m',
      },
    },
  },
  {
    name: 'DeadLetters',
    expr: `sum by (service, topic) (rate(${loop.records.name}{outcome="dead-letter"}[10m])) / sum by (service, topic) (rate(${loop.consumed.name}[10m])) > 0.001`,
    for: '0m',
    severity: 'ticket',
    summary:
      '{{ $value | humanizePercentage }} of {{ $labels.topic }} are set aside by {{ $labels.service }}',
    cases: {
      fires: {
        series: {
          'churnstream_records_total{service="s",topic="t",outcome="dead-letter"}': perMinute(2),
          'churnstream_consumed_records_total{service="s",topic="t"}': perMinute(1000),
        },
        at: '10m',
      },
      quiet: {
        series: {
          'churnstream_records_total{service="s",topic="t",outcome="dead-letter"}': '0x30',
          'churnstream_records_total{service="s",topic="t",outcome="skip"}': perMinute(500),
          'churnstream_consumed_records_total{service="s",topic="t"}': perMinute(1000),
        },
        at: '10m',
      },
    },
  },
  {
    name: 'ProducerFenced',
    expr: `sum by (service) (increase(${loop.producersReplaced.name}{reason="fenced"}[15m])) > 0`,
    for: '0m',
    severity: 'ticket',
    summary: 'A replica of {{ $labels.service }} wrote for a partition that another one owns',
    cases: {
      fires: {
        series: { 'churnstream_producers_replaced_total{service="s",reason="fenced"}': grows },
        at: '12m',
      },
      quiet: {
        series: {
          'churnstream_producers_replaced_total{service="s",reason="fenced"}': stays,
          'churnstream_producers_replaced_total{service="s",reason="dependency-away"}': grows,
        },
        at: '12m',
      },
    },
  },
  {
    name: 'CommitsUnanswered',
    expr: `sum by (service) (increase(${loop.producersReplaced.name}{reason="outcome-unknown"}[15m])) > 0`,
    for: '0m',
    severity: 'ticket',
    summary:
      'Commits of {{ $labels.service }} were not answered; their producers were replaced and the batches done again',
    cases: {
      fires: {
        series: {
          'churnstream_producers_replaced_total{service="s",reason="outcome-unknown"}': grows,
        },
        at: '12m',
      },
      quiet: {
        series: {
          'churnstream_producers_replaced_total{service="s",reason="outcome-unknown"}': stays,
        },
        at: '12m',
      },
    },
  },
  {
    name: 'RebalancesOften',
    expr: `sum by (service) (increase(${loop.assignments.name}[15m])) > 10`,
    for: '0m',
    severity: 'ticket',
    summary: 'The group {{ $labels.service }} was assigned its partitions {{ $value }} times in 15 minutes',
    cases: {
      fires: {
        series: { 'churnstream_assignments_total{service="s"}': perMinute(1) },
        at: '20m',
      },
      quiet: { series: { 'churnstream_assignments_total{service="s"}': '1x10 2x20' }, at: '20m' },
    },
  },
  {
    name: 'RestoreSlow',
    expr: `max by (service, instance) (${loop.restoreRunning.name}) > 300`,
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.service }} has been restoring a partition for {{ $value | humanizeDuration }}',
    cases: {
      fires: { series: { 'churnstream_restore_running_seconds{service="s"}': '0+60x10' }, at: '7m' },
      quiet: {
        series: { 'churnstream_restore_running_seconds{service="s"}': '0+60x3 0x10' },
        at: '7m',
      },
    },
  },
  {
    name: 'ModelRefused',
    expr: `max by (key) (${scorer.modelRefused.name}) == 1`,
    for: '0m',
    severity: 'ticket',
    summary: 'The newest version of {{ $labels.key }} was refused or left its guard',
    cases: {
      fires: { series: { 'churnstream_model_refused{key="m@champion"}': '0x3 1x10' }, at: '5m' },
      quiet: { series: { 'churnstream_model_refused{key="m@champion"}': '1x3 0x10' }, at: '5m' },
    },
  },
  {
    name: 'ModelBehind',
    expr: `max by (key) (${bridge.announcedEpoch.name}) > on (key) min by (key) (${scorer.modelEpoch.name}) unless on (key) max by (key) (${scorer.modelRefused.name}) == 1`,
    for: '5m',
    severity: 'ticket',
    summary: 'A scorer has not loaded what {{ $labels.key }} names since epoch {{ $value }}',
    cases: {
      fires: {
        series: {
          'churnstream_announced_epoch{key="m@champion"}': '3x5 4x20',
          'churnstream_model_epoch{key="m@champion",instance="a"}': '3x5 4x20',
          'churnstream_model_epoch{key="m@champion",instance="b"}': '3x25',
        },
        at: '15m',
      },
      quiet: {
        series: {
          'churnstream_announced_epoch{key="m@champion"}': '3x5 4x20',
          'churnstream_model_epoch{key="m@champion"}': '3x25',
          'churnstream_model_refused{key="m@champion"}': '0x5 1x20',
        },
        at: '15m',
      },
    },
  },
  {
    name: 'ModelRolledBack',
    expr: `sum(increase(${bridge.rollbacks.name}[15m])) > 0`,
    for: '0m',
    severity: 'ticket',
    summary: 'A champion went wrong and was rolled back, or should have been',
    cases: {
      fires: { series: { 'churnstream_rollbacks_total{result="done"}': grows }, at: '12m' },
      quiet: { series: { 'churnstream_rollbacks_total{result="done"}': stays }, at: '12m' },
    },
  },
  {
    name: 'WebhookMissed',
    expr: `sum(increase(${bridge.events.name}{origin="reconcile"}[15m])) > 0 and max(${bridge.subscribed.name}) == 1`,
    for: '0m',
    severity: 'ticket',
    summary: 'An alias moved in MLflow and no webhook told of it; the next poll found it',
    cases: {
      fires: {
        series: {
          'churnstream_registry_events_total{origin="reconcile"}': grows,
          churnstream_webhook_subscribed: '1x30',
        },
        at: '12m',
      },
      quiet: {
        series: {
          'churnstream_registry_events_total{origin="reconcile"}': stays,
          'churnstream_registry_events_total{origin="webhook"}': grows,
          churnstream_webhook_subscribed: '1x30',
        },
        at: '12m',
      },
    },
  },
  {
    name: 'RegistryStale',
    expr: `time() - max(${bridge.registryRead.name}) > 300`,
    for: '0m',
    severity: 'ticket',
    summary: 'MLflow was last read {{ $value | humanizeDuration }} ago; scorers go on with what they have',
    cases: {
      fires: {
        series: { churnstream_registry_read_timestamp_seconds: '0+60x5 300x20' },
        at: '12m',
      },
      quiet: { series: { churnstream_registry_read_timestamp_seconds: perMinute(60) }, at: '12m' },
    },
  },
  {
    name: 'VersionNotAnnounced',
    expr: `max(${bridge.unreadableVersions.name}) > 0`,
    for: '5m',
    severity: 'ticket',
    summary: 'An alias names {{ $value }} versions whose folder can not be announced',
    cases: {
      fires: { series: { churnstream_unannounced_versions: '1x10' }, at: '8m' },
      quiet: { series: { churnstream_unannounced_versions: '1x2 0x10' }, at: '8m' },
    },
  },
  {
    name: 'UnreadableRecords',
    expr: `sum by (topic) (increase(${bridge.unreadable.name}[15m])) > 0`,
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.topic }} holds records that the bridge can not read',
    cases: {
      fires: {
        series: { 'churnstream_unreadable_records_total{topic="registry-events"}': grows },
        at: '12m',
      },
      quiet: {
        series: { 'churnstream_unreadable_records_total{topic="registry-events"}': stays },
        at: '12m',
      },
    },
  },
  ...confirmedAlerts,
  {
    name: 'EventLoopBlocked',
    expr: `nodejs_eventloop_lag_p99_seconds{job=~"${jobs}"} > 0.5`,
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.job }} at {{ $labels.instance }} answers {{ $value | humanizeDuration }} late',
    cases: {
      fires: { series: { 'nodejs_eventloop_lag_p99_seconds{job="scorer"}': '0.8x10' }, at: '7m' },
      quiet: { series: { 'nodejs_eventloop_lag_p99_seconds{job="scorer"}': '0.02x10' }, at: '7m' },
    },
  },
  {
    name: 'DiskFillsUp',
    expr: `1 - ${ours('kubelet_volume_stats_available_bytes')} / ${ours('kubelet_volume_stats_capacity_bytes')} > 0.8`,
    for: '10m',
    severity: 'page',
    summary: 'The volume {{ $labels.persistentvolumeclaim }} is {{ $value | humanizePercentage }} full',
    cases: {
      fires: {
        series: {
          [ours('kubelet_volume_stats_available_bytes', volume)]: '30x5 19x20',
          [ours('kubelet_volume_stats_capacity_bytes', volume)]: '100x25',
        },
        at: '18m',
      },
      quiet: {
        series: {
          [ours('kubelet_volume_stats_available_bytes', volume)]: '21x25',
          [ours('kubelet_volume_stats_capacity_bytes', volume)]: '100x25',
        },
        at: '18m',
      },
    },
  },
  {
    name: 'CertificateExpires',
    expr: `strimzi_certificate_expiration_timestamp_ms{resource_namespace="${namespace}"} / 1000 - time() < ${21 * daySeconds}`,
    for: '10m',
    severity: 'page',
    summary: 'Kafka, certificate {{ $labels.type }}: valid for {{ $value | humanizeDuration }} more',
    cases: {
      fires: { series: { [certificate]: `${20 * daySeconds * 1000}x20` }, at: '15m' },
      quiet: { series: { [certificate]: `${22 * daySeconds * 1000}x20` }, at: '15m' },
    },
  },
]
