// Which records of Kafka are of a player, and how long will they be there?
import { parseDeadLetter, type ConsumedRecord, type Kafka } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  schemaIdOf,
  type MonitorState,
  type PlayerState,
  type RecordName,
  type Schemas,
} from '@churnstream/schemas'
import {
  backfillScores,
  clusterTopics,
  consumedTopics,
  deadLetterTopic,
  playerCompactionLagMs,
  playerSegmentMs,
  topics,
  type ClusterTopic,
  type Topic,
} from '@churnstream/topology'
import { createMentions } from './core/mentions.ts'
import type { Finding } from './core/finding.ts'
import type { Life } from './core/life.ts'

const day = 24 * 60 * 60 * 1000
/** Kafka's own: a tombstone stays so long after compaction, for readers that are behind. */
const tombstoneMs = day
/** The monitor takes outcomes for so long; features needs a mark until its partition has passed it. */
const markMs = 32 * day

const ofPlayers: ReadonlyMap<string, Topic> = new Map(
  [...Object.values<Topic>(topics), backfillScores].map((topic) => [topic.name, topic]),
)
const letterOf: ReadonlyMap<string, Topic> = new Map(
  consumedTopics.map((topic) => [deadLetterTopic(topic), topic]),
)

export interface ScannedLife extends Life {
  /** What the monitor has written since is of a new life. */
  readonly monitorErasedAt: number
}

interface Found {
  readonly record: ConsumedRecord
  /** undefined: a tombstone, or bytes that are no record. */
  readonly value: object | undefined
}

/** Reads every committed record of every topic. */
export async function findInTopics(
  kafka: Kafka,
  schemas: Pick<Schemas, 'prepare'>,
  life: ScannedLife,
): Promise<{ readonly read: number; readonly findings: Finding[] }> {
  const mentions = createMentions(life.playerId)
  const isNamed = ({ key, value, headers }: ConsumedRecord): boolean =>
    [key, value, ...Object.values(headers)].some((bytes) => bytes !== null && mentions(bytes))
  const findings: Finding[] = []
  let read = 0
  for (const spec of clusterTopics()) {
    const letters = letterOf.get(spec.name)
    const decode = createDecode(schemas, (ofPlayers.get(spec.name) ?? letters)?.record)
    const found: Found[] = []
    const scan = async (partition: number): Promise<void> => {
      for await (const records of kafka.read(spec.name, partition)) {
        read += records.length
        const named = records.filter(isNamed)
        for (const record of named) found.push({ record, value: await decode(record.value) })
      }
    }
    await Promise.all(Array.from({ length: spec.partitions }, (_, partition) => scan(partition)))
    const former = found.filter((one) => !isOfNewLife(spec, letters, one, life))
    if (spec.config['cleanup.policy'] === 'compact') findings.push(...inCompacted(spec, former))
    else if (former.length > 0) findings.push(inRetained(spec, former))
  }
  return { read, findings }
}

function createDecode(schemas: Pick<Schemas, 'prepare'>, name: RecordName | undefined) {
  if (name === undefined) return async () => undefined
  const decoder = new Decoder(name)
  return async (value: Buffer | null): Promise<object | undefined> => {
    if (value === null || schemaIdOf(value) instanceof DecodeProblem) return undefined
    await schemas.prepare(decoder, [value])
    const decoded = decoder.decode(value)
    return decoded instanceof DecodeProblem ? undefined : decoded
  }
}

/** What follows from activity behind the erasure is nobody's business here. */
function isOfNewLife(
  { name }: ClusterTopic,
  letters: Topic | undefined,
  { record, value }: Found,
  { partition, untilOffset, monitorErasedAt }: ScannedLife,
): boolean {
  const isActivity = name === topics.playerActivity.name
  if (isActivity) return Number(record.offset) >= untilOffset
  if (letters?.name === topics.playerActivity.name) {
    return parseDeadLetter(record).offset >= untilOffset
  }
  if (value === undefined) return false
  if ('causeOffset' in value) {
    const { causeOffset, causePartition } = value as { causeOffset: number; causePartition: number }
    return causePartition === partition && causeOffset >= untilOffset
  }
  if ('appliedOffset' in value) {
    const { appliedOffset, erasedBefore } = value as PlayerState
    return erasedBefore === null && appliedOffset >= untilOffset
  }
  if ('playerDay' in value && (value as MonitorState).playerDay !== null) {
    return record.timestampMs >= monitorErasedAt
  }
  return false
}

function inRetained({ name, config }: ClusterTopic, found: readonly Found[]): Finding {
  const newestAt = Math.max(...found.map(({ record }) => record.timestampMs))
  const retentionMs = Number(config['retention.ms'])
  return {
    place: name,
    found: found.length,
    goneAt: newestAt + retentionMs + playerSegmentMs,
    because: `kept ${retentionMs / day} days, then a segment of ${playerSegmentMs / day} day ends`,
  }
}

/** A name and where the former life ends, so that what comes late of it is left out. */
const isMark = ({ value }: Found): boolean =>
  (value as Partial<PlayerState> | undefined)?.erasedBefore != null ||
  (value as Partial<MonitorState> | undefined)?.erased != null

/** What is older than the newest record of its key goes with compaction, and a tombstone after it. */
function inCompacted({ name, config }: ClusterTopic, found: readonly Found[]): Finding[] {
  const newest = [...new Map(found.map((one) => [String(one.record.key), one])).values()]
  const marks = newest.filter(isMark)
  const standing = newest.filter((one) => one.record.value !== null && !isMark(one))
  const superseded = found.length - standing.length - marks.length
  const newestAt = Math.max(...found.map(({ record }) => record.timestampMs))
  const isBounded = config['max.compaction.lag.ms'] !== undefined
  const compactedMs = playerCompactionLagMs + tombstoneMs
  const findings: Finding[] = []
  if (standing.length > 0) {
    const because = 'state of the player'
    findings.push({ place: name, found: standing.length, goneAt: null, because })
  }
  if (marks.length > 0) {
    findings.push({
      place: name,
      found: marks.length,
      goneAt: newestAt + markMs + compactedMs,
      because: 'the name alone, so that what comes late is left out',
    })
  }
  if (superseded > 0) {
    findings.push({
      place: name,
      found: superseded,
      goneAt: isBounded ? newestAt + compactedMs : null,
      because: isBounded
        ? 'erased, and until compaction the bytes lie there'
        : 'nothing bounds when the topic is compacted',
    })
  }
  return findings
}
