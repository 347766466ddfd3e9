// Which topics exist, and what does each one promise?
import type { RecordName } from '@churnstream/schemas'

const day = 24 * 60 * 60 * 1000

export interface Topic<N extends RecordName = RecordName> {
  readonly name: string
  /** What the record key is. Topics with the same key and partition count are co-partitioned. */
  readonly key: 'playerId' | 'model@alias' | 'model@alias#replica' | 'modelName' | 'partition'
  readonly record: N
  readonly partitions: number
  /** A compacted topic keeps the newest record of each key, for ever or until it is that old. */
  readonly cleanup: 'delete' | 'compact' | 'compact,delete'
  /** How long a record is kept; null when age deletes nothing. */
  readonly retentionMs: number | null
  readonly carries: string
  /** One partition that every lane of a service writes to, in its own transactions. */
  readonly isGathered?: true
  /** Why no service in topology/ reads it, where none does. */
  readonly unreadBecause?: string
  /** The command with which a person writes it too. */
  readonly writtenByCommand?: string
}

/** Every topic keyed by player has this many partitions, so that a player stays in one lane. */
const playerPartitions = 8

/** Age deletes whole segments: what is erased by retention alone is gone so much later at most. */
export const playerSegmentMs = day
/** So long a superseded or erased record of a compacted topic of players lies there at most. */
export const playerCompactionLagMs = 7 * day

function playerTopic<N extends RecordName>(
  name: string,
  record: N,
  rest: Pick<Topic, 'cleanup' | 'retentionMs' | 'carries'> & Partial<Topic>,
): Topic<N> {
  return { name, key: 'playerId', partitions: playerPartitions, ...rest, record }
}

/** Whoever folds activity again must still find who was erased meanwhile: both are kept as long. */
const activityRetentionMs = 90 * day

export const topics = {
  playerActivity: playerTopic('player-activity', 'player-activity', {
    cleanup: 'delete',
    retentionMs: activityRetentionMs,
    carries: 'one flat event, or a clock record',
  }),
  playerState: playerTopic('player-state', 'player-state', {
    cleanup: 'compact',
    retentionMs: null,
    carries: 'the state of a player after a named offset',
  }),
  featureVectors: playerTopic('feature-vectors', 'feature-vector', {
    cleanup: 'delete',
    retentionMs: 30 * day,
    carries: 'every feature of the catalogue, as of an instant, with its cause',
  }),
  churnScores: playerTopic('churn-scores', 'churn-score', {
    cleanup: 'delete',
    retentionMs: 90 * day,
    carries: 'score, band, model version, cause',
  }),
  shadowScores: playerTopic('shadow-scores', 'churn-score', {
    cleanup: 'delete',
    retentionMs: 30 * day,
    carries: 'the same from a challenger, of the same vectors',
  }),
  playerOutcomes: playerTopic('player-outcomes', 'player-outcome', {
    cleanup: 'delete',
    retentionMs: 365 * day,
    carries: 'churned or retained, once it is known',
  }),
  privacyRequests: playerTopic('privacy-requests', 'privacy-request', {
    cleanup: 'delete',
    retentionMs: activityRetentionMs,
    carries: 'a player who is to be erased',
    writtenByCommand: 'npm run privacy -- erase',
  }),
  privacyConfirmations: playerTopic('privacy-confirmations', 'privacy-confirmation', {
    cleanup: 'delete',
    retentionMs: activityRetentionMs,
    carries: 'who has erased a player, and up to which offset of their activity',
    writtenByCommand: 'npm run privacy -- erase',
  }),
  registryEvents: {
    name: 'registry-events',
    key: 'model@alias',
    record: 'registry-event',
    partitions: 1,
    cleanup: 'compact',
    retentionMs: null,
    carries: 'the version an alias names, its location, digests and epoch',
  },
  loadReports: {
    name: 'load-reports',
    key: 'model@alias#replica',
    record: 'load-report',
    partitions: 1,
    cleanup: 'compact,delete',
    retentionMs: 7 * day,
    carries: 'what a scorer replica has loaded under an alias, and its verdict',
  },
  monitorState: playerTopic('monitor-state', 'monitor-state', {
    cleanup: 'compact',
    retentionMs: null,
    carries: 'the row that stands for a player-day until its cohort is told; clocks',
  }),
  monitoringPartials: {
    name: 'monitoring-partials',
    key: 'partition',
    record: 'monitoring-partial',
    partitions: 1,
    cleanup: 'delete',
    retentionMs: 60 * day,
    carries: 'what one partition counted of one day',
    isGathered: true,
  },
  assessorState: {
    name: 'assessor-state',
    key: 'partition',
    record: 'assessor-state',
    partitions: 1,
    cleanup: 'compact',
    retentionMs: null,
    carries: 'partials that wait for their window, and what the policy remembers',
  },
  modelMonitoring: {
    name: 'model-monitoring',
    key: 'modelName',
    record: 'monitoring-window',
    partitions: 1,
    cleanup: 'delete',
    retentionMs: 365 * day,
    carries: 'drift and performance of a version in whole days, with thresholds and states',
    isGathered: true,
  },
  retrainingRequests: {
    name: 'retraining-requests',
    key: 'modelName',
    record: 'retraining-request',
    partitions: 1,
    cleanup: 'delete',
    retentionMs: 365 * day,
    carries: 'who asks for a new version of a model, why, and on which figures',
    isGathered: true,
    unreadBecause: 'the orchestration reads it, in Python',
    writtenByCommand: 'npm run model -- retrain',
  },
} as const satisfies Record<string, Topic>

export type TopicId = keyof typeof topics

/**
 * Scores of a replayed range, each with the header `run-id`. Written by a person's command and so by
 * no service; whoever asked for the range reads it.
 */
export const backfillScores = playerTopic('backfill-scores', 'churn-score', {
  cleanup: 'delete',
  retentionMs: 30 * day,
  carries: 'scores of a replayed range by a pinned version, with markers at its begin and end',
})

/** Where a record of this topic goes that cannot be processed: original bytes, reason in headers. */
export function deadLetterTopic(topic: Pick<Topic, 'name'>): string {
  return `${topic.name}.dlq`
}

/** What was done with dead letters, by a person's command and so by no service. */
export const deadLetterReceipts = {
  name: 'dead-letter-receipts',
  record: 'dead-letter-receipt',
  partitions: 1,
} as const

export const deadLetterRetentionMs = 30 * day
