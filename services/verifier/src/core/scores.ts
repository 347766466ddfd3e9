// Has every vector one score, in order, by one version at a time, and PostgreSQL the same?
import type { ChurnScore, FeatureVector } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { place, type Breach } from './breach.ts'
import type { At } from './fold.ts'

/** Of one partition. */
export interface ScoresInput {
  readonly partition: number
  readonly vectors: readonly At<FeatureVector>[]
  readonly scores: readonly At<ChurnScore>[]
  /** Offsets of feature-vectors that the dead letters name. */
  readonly deadLetters: readonly number[]
  /** The next offset of the scorer group. */
  readonly committed: number
}

export interface ScoresChecked {
  readonly breaches: readonly Breach[]
  /** `causeOffset playerId` of each score. */
  readonly scored: ReadonlySet<string>
  readonly inFlight: number
}

const causeKey = ({ causeOffset, playerId }: FeatureVector | ChurnScore): string =>
  `${causeOffset} ${playerId}`

export function checkScores(input: ScoresInput): ScoresChecked {
  const { partition, committed } = input
  const breaches: Breach[] = []
  const report = (breach: Breach): void => void breaches.push(breach)
  const vectors = new Map(input.vectors.map((vector) => [causeKey(vector.value), vector]))
  const scored = new Set<string>()
  const epochs = new Map<string, number>()
  const versions = new Map<string, string>()
  let newest = -1
  for (const { offset, value } of input.scores) {
    const where = place(topics.churnScores.name, partition, offset)
    const { causeEventId: eventId, modelName, modelVersion, modelEpoch } = value
    const key = causeKey(value)
    const vector = vectors.get(key)
    if (vector === undefined) {
      report({ kind: 'unexpected', where, detail: `no vector of ${key}`, eventId })
      continue
    }
    if (scored.has(key)) {
      report({ kind: 'duplicated', where, detail: `a second score of ${key}`, eventId })
      continue
    }
    scored.add(key)
    if (vector.offset < newest) {
      const detail = `vector ${vector.offset} follows vector ${newest}`
      report({ kind: 'out-of-order', where, detail, eventId })
    }
    newest = Math.max(newest, vector.offset)
    const { asOf, market, trigger } = vector.value
    if (value.asOf !== asOf || value.market !== (market ?? '') || value.trigger !== trigger) {
      report({ kind: 'wrong-score', where, detail: 'as-of, market or trigger differ', eventId })
    }
    if (!(value.score >= 0 && value.score <= 1)) {
      report({ kind: 'wrong-score', where, detail: `${value.score} is no probability`, eventId })
    }
    const before = epochs.get(modelName) ?? -1
    if (modelEpoch < before) {
      const detail = `epoch ${modelEpoch} of ${modelName} follows epoch ${before}`
      report({ kind: 'wrong-model', where, detail, eventId })
    }
    epochs.set(modelName, modelEpoch)
    const claim = `${modelName} ${modelEpoch}`
    const claimed = versions.get(claim) ?? modelVersion
    versions.set(claim, claimed)
    if (claimed !== modelVersion) {
      const detail = `epoch ${claim} is version ${claimed} and ${modelVersion}`
      report({ kind: 'wrong-model', where, detail, eventId })
    }
  }
  const setAside = new Set(input.deadLetters)
  let inFlight = 0
  for (const [key, { offset, value }] of vectors) {
    if (scored.has(key) || setAside.has(offset)) continue
    if (offset >= committed) {
      inFlight++
      continue
    }
    const where = place(topics.featureVectors.name, partition, offset)
    report({ kind: 'lost', where, detail: 'a vector without a score', eventId: value.causeEventId })
  }
  return { breaches, scored, inFlight }
}

export interface Row {
  readonly causeOffset: number
  readonly playerId: string
  readonly score: number
  readonly modelVersion: string
  readonly scoreOffset: number
}

/**
 * The rows of one partition beside its scores. `committed` is the next offset of the sinks group;
 * rows of scores from `end` on are newer than what was read of the topic.
 */
export function checkRows(
  partition: number,
  scores: readonly At<ChurnScore>[],
  rows: readonly Row[],
  { committed, end }: { readonly committed: number; readonly end: number },
): Breach[] {
  const breaches: Breach[] = []
  const byKey = new Map<string, Row>()
  for (const row of rows) {
    const key = `${row.causeOffset} ${row.playerId}`
    if (byKey.has(key)) {
      const where = place('score_history', partition, row.scoreOffset)
      breaches.push({ kind: 'duplicated', where, detail: `a second row of ${key}` })
    }
    byKey.set(key, row)
  }
  const seen = new Set<string>()
  for (const { offset, value } of scores) {
    const where = place(topics.churnScores.name, partition, offset)
    const key = causeKey(value)
    const row = byKey.get(key)
    const eventId = value.causeEventId
    if (row === undefined) {
      if (offset < committed) {
        breaches.push({ kind: 'lost', where, detail: 'PostgreSQL has no row of it', eventId })
      }
      continue
    }
    seen.add(key)
    if (row.score === value.score && row.modelVersion === value.modelVersion) continue
    const detail = `the row says ${row.score} by version ${row.modelVersion}`
    breaches.push({ kind: 'wrong-row', where, detail, eventId })
  }
  for (const [key, row] of byKey) {
    if (seen.has(key) || row.scoreOffset >= end) continue
    const where = place('score_history', partition, row.scoreOffset)
    breaches.push({ kind: 'unexpected', where, detail: `a row of ${key}, which has no score` })
  }
  return breaches
}
