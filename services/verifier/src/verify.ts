// Do the topics and PostgreSQL of a running installation hold what they should?
import { parseDeadLetter } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  type ChurnScore,
  type FeatureVector,
  type PlayerState,
  type RecordName,
  type Records,
  type Schemas,
} from '@churnstream/schemas'
import { deadLetterTopic, services, topics, type Topic } from '@churnstream/topology'
import { place, type Breach } from './core/breach.ts'
import { checkFold, type At, type Fate, type SetAside } from './core/fold.ts'
import { checkLedger, type Balance, type Found } from './core/ledger.ts'
import { checkRows, checkScores, type Row } from './core/scores.ts'
import type { KafkaReader, Offsets, RawRecord } from './kafka-reader.ts'
import type { RecomputeScores } from './recompute.ts'

export interface VerifyOptions {
  readonly reader: KafkaReader
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly recompute: RecomputeScores
  /** Undefined: PostgreSQL is not looked at. */
  readonly readRows: ((partition: number) => Promise<Row[]>) | undefined
  /** Ids that were acknowledged; undefined: only what the topics say of themselves is checked. */
  readonly acknowledged: readonly string[] | undefined
  /** Scores to compute again. */
  readonly sample: number
  readonly onProgress: (line: string) => void
}

export interface Verified {
  readonly breaches: readonly Breach[]
  /** Of the acknowledged events; of all events when there is no ledger. */
  readonly balances: readonly Balance[]
  readonly records: {
    readonly activity: number
    readonly vectors: number
    readonly outcomes: number
    readonly scores: number
    readonly players: number
    readonly deadLetters: number
    readonly rows: number
    readonly recomputed: number
  }
  readonly largestScoreDifference: number
  /** Records that their group has not come to yet. */
  readonly inFlight: number
  /** Parts that could not be checked, and why. */
  readonly unchecked: readonly string[]
}

const scoreTolerance = 1e-6
/** Longer than the services' transactions may stay open. */
const hangingMs = 30_000
const pollMs = 1_000

/** Downstream first: what an output stands on is then always within what is read of its input. */
const read = [
  topics.privacyConfirmations,
  topics.churnScores,
  topics.featureVectors,
  topics.playerOutcomes,
  topics.playerState,
  topics.playerActivity,
] as const
const groups = {
  [services.features.name]: topics.playerActivity,
  [services.scorer.name]: topics.featureVectors,
  [services.sinks.name]: topics.churnScores,
} as const

export async function verify(options: VerifyOptions): Promise<Verified> {
  const { reader, onProgress } = options
  const deadLettered = Object.values(groups)
  const counts = Object.fromEntries([
    ...deadLettered.map((topic) => [deadLetterTopic(topic), topic.partitions]),
    ...read.map(({ name, partitions }) => [name, partitions]),
  ]) as Record<string, number>
  const consumed = Object.fromEntries(
    Object.entries(groups).map(([group, { name }]) => [group, name]),
  )
  const offsets = await reader.offsets(counts, consumed)
  const breaches: Breach[] = [
    ...offsetBreaches(offsets),
    ...(await openTransactions(reader, offsets, counts)),
  ]
  const unchecked: string[] = []
  if (offsets.ends[topics.playerActivity.name]?.first.some((offset) => offset > 0)) {
    throw new Error(
      `${topics.playerActivity.name} no longer begins at offset 0 (retention): what its records ` +
        'gave rise to can only be folded from the beginning',
    )
  }
  if (options.readRows === undefined) unchecked.push('PostgreSQL: DATABASE_URL is not set')

  const totals = { activity: 0, vectors: 0, outcomes: 0, scores: 0, players: 0, deadLetters: 0 }
  let rowCount = 0
  let inFlight = 0
  const found = new Map<string, Found[]>()
  const fates: ReadonlyMap<number, Fate>[] = []
  const scoredKeys: ReadonlySet<string>[] = []
  const samples: Sample[] = []
  const { partitions } = topics.playerActivity
  for (let partition = 0; partition < partitions; partition++) {
    const source = { options, offsets, partition, breaches }
    const activity = await decodedAll(source, topics.playerActivity)
    const vectors = await decoded(source, topics.featureVectors)
    const outcomes = await decoded(source, topics.playerOutcomes)
    const scores = await decoded(source, topics.churnScores)
    const state = await stateOf(source)
    const confirmations = await decoded(source, topics.privacyConfirmations)
    const erasures = confirmations
      .map(({ value }) => value)
      .filter(({ place }) => place === topics.playerState.name)
    const isErased = ({ playerId, causeOffset }: Row | ChurnScore): boolean =>
      erasures.some((one) => one.playerId === playerId && causeOffset < one.untilOffset)
    const [ofActivity, ofVectors, ofScores] = await Promise.all([
      deadLetters(source, topics.playerActivity),
      deadLetters(source, topics.featureVectors),
      deadLetters(source, topics.churnScores),
    ])
    const committed = (group: string): number => offsets.committed[group]?.[partition] ?? -1
    const fold = checkFold({
      partition,
      activity,
      vectors,
      outcomes,
      state,
      erasures,
      deadLetters: ofActivity,
      committed: committed(services.features.name),
    })
    const checked = checkScores({
      partition,
      vectors,
      scores,
      deadLetters: ofVectors.map(({ offset }) => offset),
      committed: committed(services.scorer.name),
    })
    breaches.push(...fold.breaches, ...checked.breaches)
    inFlight += checked.inFlight
    if (options.readRows) {
      // Of an erased life there may be rows still, or none any more: npm run privacy tells.
      const rows = (await options.readRows(partition)).filter((row) => !isErased(row))
      rowCount += rows.length
      // Others read the topic too, and refuse for themselves.
      const bySinks = ofScores.filter(({ service }) => service === services.sinks.name)
      const refused = new Set(bySinks.map(({ offset }) => offset))
      const stored = scores.filter(({ offset, value }) => !refused.has(offset) && !isErased(value))
      const end = offsets.ends[topics.churnScores.name]?.stable[partition] ?? 0
      const until = { committed: committed(services.sinks.name), end }
      breaches.push(...checkRows(partition, stored, rows, until))
    }
    fates.push(fold.fates)
    scoredKeys.push(checked.scored)
    for (const { offset, value } of activity) {
      if (value instanceof DecodeProblem || value.playerId === '') continue
      const { eventId, playerId } = value
      const record = { partition, offset, playerId }
      const known = found.get(eventId)
      if (known) known.push(record)
      else found.set(eventId, [record])
    }
    samples.push(...sampleOf(vectors, scores, Math.ceil(options.sample / partitions)))
    totals.activity += activity.length
    totals.vectors += vectors.length
    totals.outcomes += outcomes.length
    totals.scores += scores.length
    totals.players += state.size
    totals.deadLetters += ofActivity.length + ofVectors.length + ofScores.length
    onProgress(`partition ${partition}: ${activity.length} events, ${scores.length} scores`)
  }

  const { balances, breaches: ofLedger } = checkLedger(
    options.acknowledged ?? found.keys(),
    found,
    ({ partition, offset }) => fates[partition]?.get(offset) ?? { kind: 'in-flight' },
    ({ partition, offset, playerId }) =>
      scoredKeys[partition]?.has(`${offset} ${playerId}`) ?? false,
  )
  breaches.push(...ofLedger)
  const { largestScoreDifference, ...recomputed } = await recomputedScores(options, samples)
  breaches.push(...recomputed.breaches)
  unchecked.push(...recomputed.unchecked)
  return {
    breaches,
    balances,
    records: { ...totals, rows: rowCount, recomputed: samples.length },
    largestScoreDifference,
    inFlight,
    unchecked,
  }
}

interface Source {
  readonly options: VerifyOptions
  readonly offsets: Offsets
  readonly partition: number
  readonly breaches: Breach[]
}

async function raw({ options, offsets, partition }: Source, topic: string): Promise<RawRecord[]> {
  const { first, stable } = offsets.ends[topic] as Offsets['ends'][string]
  return options.reader.read(topic, partition, first[partition] ?? 0, stable[partition] ?? 0)
}

async function decodedAll<N extends RecordName>(
  source: Source,
  topic: Topic<N>,
): Promise<At<Records[N] | DecodeProblem>[]> {
  return decodeAll(source, topic, await raw(source, topic.name))
}

async function decodeAll<N extends RecordName>(
  source: Source,
  topic: Topic<N>,
  records: readonly RawRecord[],
): Promise<At<Records[N] | DecodeProblem>[]> {
  const decoder = new Decoder<N>(topic.record)
  await source.options.schemas.prepare(
    decoder,
    records.map(({ value }) => value),
  )
  return records.map(({ offset, value }) => ({ offset, value: decoder.decode(value) }))
}

/** Of a topic that only our services write: what can't be read is a breach. */
async function decoded<N extends RecordName>(
  source: Source,
  topic: Topic<N>,
): Promise<At<Records[N]>[]> {
  return decodedOf(source, topic, await raw(source, topic.name))
}

async function decodedOf<N extends RecordName>(
  source: Source,
  topic: Topic<N>,
  records: readonly RawRecord[],
): Promise<At<Records[N]>[]> {
  const all = await decodeAll(source, topic, records)
  return all.flatMap(({ offset, value }) => {
    if (!(value instanceof DecodeProblem)) return [{ offset, value }]
    const where = place(topic.name, source.partition, offset)
    source.breaches.push({ kind: 'unexpected', where, detail: value.detail })
    return []
  })
}

async function stateOf(source: Source): Promise<Map<string, PlayerState>> {
  const changes = await raw(source, topics.playerState.name)
  const newest = [...new Map(changes.map((change) => [String(change.key), change])).values()]
  const states = await decodedOf(
    source,
    topics.playerState,
    newest.filter(({ value }) => value !== null),
  )
  const known = states.filter(({ value }) => value.erasedBefore === null)
  return new Map(known.map(({ value }) => [value.playerId, value]))
}

/** The records that were set aside; each letter must hold its record byte for byte. */
async function deadLetters(
  source: Source,
  topic: Topic,
): Promise<(SetAside & { readonly service: string })[]> {
  const { partition, breaches } = source
  const name = deadLetterTopic(topic)
  const letters = await raw(source, name)
  if (letters.length === 0) return []
  const originals = new Map((await raw(source, topic.name)).map((one) => [one.offset, one]))
  return letters.map((letter) => {
    const cause = parseDeadLetter({ ...letter, offset: BigInt(letter.offset) })
    const original = originals.get(cause.offset)
    const same = (a: Buffer | null, b: Buffer | null | undefined): boolean =>
      a === null ? b === null : b !== null && b !== undefined && a.equals(b)
    const isSame =
      cause.topic === topic.name &&
      cause.partition === partition &&
      same(letter.key, original?.key) &&
      same(letter.value, original?.value)
    if (!isSame) {
      const detail = `it is not ${place(cause.topic, cause.partition, cause.offset)}, as it says`
      breaches.push({
        kind: 'wrong-dead-letter',
        where: place(name, partition, letter.offset),
        detail,
      })
    }
    return { offset: cause.offset, reason: cause.reason, service: cause.service }
  })
}

function offsetBreaches({ committed, ends }: Offsets): Breach[] {
  const breaches: Breach[] = []
  for (const [group, { name }] of Object.entries(groups)) {
    for (const [partition, next] of (committed[group] ?? []).entries()) {
      const high = ends[name]?.high[partition] ?? 0
      if (next <= high) continue
      const detail = `${group} has committed beyond the end, ${high}`
      breaches.push({ kind: 'wrong-offset', where: place(name, partition, next), detail })
    }
  }
  return breaches
}

/** A transaction is open for milliseconds; one that stays hides everything behind it. */
async function openTransactions(
  reader: KafkaReader,
  { ends }: Offsets,
  counts: Record<string, number>,
): Promise<Breach[]> {
  const isOpen = (topic: string, partition: number, now: Offsets['ends']): boolean =>
    (now[topic]?.stable[partition] ?? 0) < (ends[topic]?.high[partition] ?? 0)
  const all = Object.entries(counts).flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  )
  let open = all.filter(({ topic, partition }) => isOpen(topic, partition, ends))
  const deadline = Date.now() + hangingMs
  while (open.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, pollMs))
    const { ends: now } = await reader.offsets(counts, {})
    open = open.filter(({ topic, partition }) => isOpen(topic, partition, now))
  }
  return open.map(({ topic, partition }) => ({
    kind: 'open-transaction',
    where: place(topic, partition, ends[topic]?.stable[partition] ?? 0),
    detail: `a transaction that began there was still open after ${hangingMs / 1000} s`,
  }))
}

interface Sample {
  readonly offset: number
  readonly partition: number
  readonly score: ChurnScore
  readonly vector: FeatureVector
}

/** Spread evenly over the partition, so that every stretch of time has some. */
function sampleOf(
  vectors: readonly At<FeatureVector>[],
  scores: readonly At<ChurnScore>[],
  count: number,
): Sample[] {
  const byCause = new Map(vectors.map(({ value }) => [keyOf(value), value]))
  const step = Math.max(1, scores.length / count)
  const samples: Sample[] = []
  for (let at = 0; at < scores.length; at += step) {
    const { offset, value: score } = scores[Math.floor(at)] as At<ChurnScore>
    const vector = byCause.get(keyOf(score))
    if (vector) samples.push({ offset, partition: score.causePartition, score, vector })
  }
  return samples
}

const keyOf = ({ causeOffset, playerId }: FeatureVector | ChurnScore): string =>
  `${causeOffset} ${playerId}`

async function recomputedScores(
  { recompute }: VerifyOptions,
  samples: readonly Sample[],
): Promise<{ breaches: Breach[]; unchecked: string[]; largestScoreDifference: number }> {
  const breaches: Breach[] = []
  const unchecked = new Set<string>()
  let largestScoreDifference = 0
  const answers = await recompute(
    samples.map(({ score, vector }) => ({
      model: score.modelName,
      version: score.modelVersion,
      features: vector,
      score: score.score,
    })),
  )
  for (const [index, answer] of answers.entries()) {
    const { offset, partition, score } = samples[index] as Sample
    if ('problem' in answer) {
      unchecked.add(`scores could not be computed again: ${answer.problem}`)
      continue
    }
    const difference = Math.abs(answer.recomputed - score.score)
    largestScoreDifference = Math.max(largestScoreDifference, difference)
    if (difference <= scoreTolerance) continue
    breaches.push({
      kind: 'wrong-score',
      where: place(topics.churnScores.name, partition, offset),
      detail: `${score.score}, and ${answer.recomputed} by version ${score.modelVersion} of ${score.modelName}`,
      eventId: score.causeEventId,
    })
  }
  return { breaches, unchecked: [...unchecked], largestScoreDifference }
}
