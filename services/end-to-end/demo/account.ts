// What became of every acknowledged event, read from the topics and from PostgreSQL?
import {
  DecodeProblem,
  Decoder,
  type ChurnScore,
  type RecordName,
  type Records,
  type Schemas,
} from '@churnstream/schemas'
import { parseDeadLetter, type ConsumedRecord, type Kafka } from '@churnstream/runtime'
import { clusterTopics, deadLetterTopic, topics, type Topic } from '@churnstream/topology'
import { rowsOf } from '../pipeline/rows.ts'

/** Where each topic ended before the run: what follows belongs to the run. */
export type Marks = ReadonlyMap<string, readonly bigint[]>

export interface Account {
  acknowledged: number
  scores: number
  distinctCauses: number
  missing: number
  duplicates: number
  deadLetters: Record<string, number>
  modelVersions: { name: string; version: string; scores: number }[]
  postgres: { rows: number; missing: number; duplicates: number }
}

export async function markEnds(kafka: Kafka): Promise<Marks> {
  const marks = new Map<string, readonly bigint[]>()
  for (const { name } of clusterTopics()) marks.set(name, await kafka.endOffsets(name))
  return marks
}

/**
 * Reads the topics again from the marks, read_committed, and from PostgreSQL the rows of the causes
 * that stand after them. Nothing is taken from a counter. An acknowledged event is missing when it
 * has neither a score nor a dead letter, or has a score that PostgreSQL lacks; a second score of the
 * same cause and player, in the topic or in PostgreSQL, is a duplicate.
 */
export async function takeAccount(options: {
  kafka: Kafka
  schemas: Schemas
  databaseUrl: string
  marks: Marks
  acknowledged: ReadonlySet<string>
}): Promise<Account> {
  const { kafka, schemas, marks, acknowledged } = options
  const seen = new Set<string>()
  const settled = new Set<string>()
  const versions = new Map<string, { name: string; version: string; scores: number }>()
  let scores = 0
  let duplicates = 0
  const starts = marks.get(topics.playerActivity.name) ?? []
  for await (const { value } of decoded(kafka, schemas, topics.churnScores, marks)) {
    // The mark of the scores may stand before what was still being scored then.
    if (BigInt(value.causeOffset) < (starts[value.causePartition] ?? 0n)) continue
    scores++
    const cause = causeOf(value)
    if (seen.has(cause)) duplicates++
    seen.add(cause)
    settled.add(value.causeEventId)
    const id = `${value.modelName} ${value.modelVersion}`
    const version = versions.get(id) ?? {
      name: value.modelName,
      version: value.modelVersion,
      scores: 0,
    }
    version.scores++
    versions.set(id, version)
  }

  const deadLetters: Record<string, number> = {}
  const setAside = new Set<string>()
  for (const name of marks.keys()) {
    if (!name.endsWith(deadLetterTopic({ name: '' }))) continue
    for await (const { records } of raw(kafka, name, marks)) {
      for (const { reason, topic, partition, offset } of records.map(parseDeadLetter)) {
        deadLetters[reason] = (deadLetters[reason] ?? 0) + 1
        setAside.add(`${topic} ${partition} ${offset}`)
      }
    }
  }
  if (setAside.size > 0) {
    for await (const { value, partition, offset } of decoded(
      kafka,
      schemas,
      topics.playerActivity,
      marks,
    )) {
      if (setAside.has(`${topics.playerActivity.name} ${partition} ${offset}`))
        settled.add(value.eventId)
    }
  }

  const stored = await storedCauses(options.databaseUrl, starts)
  const storedDistinct = new Set(stored)
  const lacking = [...seen].filter((cause) => !storedDistinct.has(cause)).length
  const unsettled = [...acknowledged].filter((eventId) => !settled.has(eventId)).length
  const storedTwice = stored.length - storedDistinct.size
  return {
    acknowledged: acknowledged.size,
    scores,
    distinctCauses: seen.size,
    missing: unsettled + lacking,
    duplicates: duplicates + storedTwice,
    deadLetters,
    modelVersions: [...versions.values()],
    postgres: { rows: stored.length, missing: lacking, duplicates: storedTwice },
  }
}

const causeOf = (score: ChurnScore): string =>
  `${score.causeTopic} ${score.causePartition} ${score.causeOffset} ${score.playerId}`

async function storedCauses(databaseUrl: string, starts: readonly bigint[]): Promise<string[]> {
  const rows = await rowsOf<{ cause: string }>(
    databaseUrl,
    `SELECT concat_ws(' ', cause_topic, cause_partition, cause_offset, player_id) AS cause
       FROM score_history
       JOIN unnest($1::bigint[]) WITH ORDINALITY AS starts (first_offset, ordinal)
         ON cause_partition = ordinal - 1 AND cause_offset >= first_offset`,
    [starts.map(String)],
  )
  return rows.map(({ cause }) => cause)
}

async function* raw(
  kafka: Kafka,
  topic: string,
  marks: Marks,
): AsyncGenerator<{ records: readonly ConsumedRecord[]; partition: number }> {
  for (const [partition, from] of (marks.get(topic) ?? []).entries()) {
    for await (const records of kafka.read(topic, partition, from)) yield { records, partition }
  }
}

async function* decoded<N extends RecordName>(
  kafka: Kafka,
  schemas: Schemas,
  topic: Topic<N>,
  marks: Marks,
): AsyncGenerator<{ value: Records[N]; partition: number; offset: bigint }> {
  const decoder = new Decoder<N>(topic.record)
  for await (const { records, partition } of raw(kafka, topic.name, marks)) {
    await schemas.prepare(
      decoder,
      records.map((record) => record.value),
    )
    for (const record of records) {
      const value = decoder.decode(record.value)
      // Poison is accounted for by its dead letter.
      if (!(value instanceof DecodeProblem)) yield { value, partition, offset: record.offset }
    }
  }
}
