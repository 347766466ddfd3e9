// Which topics must a Kafka cluster have, with which settings?
import { consumedTopics } from './services.ts'
import {
  backfillScores,
  deadLetterReceipts,
  deadLetterRetentionMs,
  deadLetterTopic,
  playerCompactionLagMs,
  playerSegmentMs,
  topics,
  type Topic,
} from './topics.ts'
import { connectStorage, icebergControlTopic, warehouseConnectors } from './warehouse.ts'

export interface ClusterTopic {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

const deadLetterConfig = {
  'cleanup.policy': 'delete',
  'retention.ms': String(deadLetterRetentionMs),
  'segment.ms': String(playerSegmentMs),
}

/** Every topic of the topology, dead letters included, as a cluster needs to be told. */
export function clusterTopics(): ClusterTopic[] {
  const all: Topic[] = [...Object.values(topics), backfillScores]
  return [
    ...all.map((topic) => ({
      name: topic.name,
      partitions: topic.partitions,
      config: toConfig(topic),
    })),
    ...consumedTopics.map((topic) => ({
      name: deadLetterTopic(topic),
      partitions: topic.partitions,
      config: deadLetterConfig,
    })),
    ...warehouseConnectors().map(({ deadLetters }) => ({
      name: deadLetters,
      partitions: 1,
      config: deadLetterConfig,
    })),
    { name: icebergControlTopic, partitions: 1, config: deadLetterConfig },
    ...Object.values(connectStorage).map((name) => ({
      name,
      partitions: 1,
      config: { 'cleanup.policy': 'compact' },
    })),
    {
      name: deadLetterReceipts.name,
      partitions: deadLetterReceipts.partitions,
      config: { 'cleanup.policy': 'compact' },
    },
  ]
}

function toConfig(topic: Topic): Record<string, string> {
  const isOfPlayers = topic.key === 'playerId'
  if (topic.cleanup === 'delete') {
    return {
      'cleanup.policy': 'delete',
      'retention.ms': String(topic.retentionMs),
      ...(isOfPlayers ? { 'segment.ms': String(playerSegmentMs) } : {}),
    }
  }
  // Small segments, because the active one is never compacted and restore reads the whole topic.
  return {
    'cleanup.policy': topic.cleanup,
    ...(topic.retentionMs === null ? {} : { 'retention.ms': String(topic.retentionMs) }),
    'segment.bytes': String(64 * 1024 * 1024),
    'min.cleanable.dirty.ratio': '0.2',
    // However little is written, what was erased is compacted away in the end.
    ...(isOfPlayers ? { 'max.compaction.lag.ms': String(playerCompactionLagMs) } : {}),
  }
}
