// Do the rows of a window still look like those of the training, and is the feed whole?
import type { BinCounts } from './bins.ts'
import { profileScoreBins, type FeatureReference, type Profile } from './profile.ts'
import { falseDiscoveryLimit } from './statistics/benjamini-hochberg.ts'
import { jensenShannonDistance } from './statistics/jensen-shannon.ts'
import { kolmogorovSmirnov } from './statistics/kolmogorov-smirnov.ts'
import { risePValue } from './statistics/proportion.ts'
import { toShares } from './statistics/shares.ts'
import {
  stabilityIndex,
  stabilityPValue,
  stabilityThreshold,
  type Sizes,
} from './statistics/stability-index.ts'
import { scaledWasserstein } from './statistics/wasserstein.ts'

export type State = 'insufficient-data' | 'ok' | 'warning' | 'alarm'

/** A figure of a window. */
export interface Statistic {
  readonly name: string
  /** The feature, or score. */
  readonly subject: string
  readonly value: number
  /** Above it the figure alarms; null for one that only informs. */
  readonly threshold: number | null
  readonly state: State
}

export interface InputSettings {
  /** Rows below which a window says nothing of distributions, and nothing of rates. */
  readonly minRows: number
  readonly minRowsOfRates: number
  /** Share of false discoveries among the features that are called drifted. */
  readonly level: number
  /** Stability index that a feature, or the score, must exceed as well to alarm. */
  readonly featureEffect: number
  readonly scoreEffect: number
  /** Rise of a rate of nulls or unseen levels that matters. */
  readonly rateEffect: number
}

export const usualInputSettings: InputSettings = {
  minRows: 1_000,
  minRowsOfRates: 200,
  level: 0.001,
  featureEffect: 0.1,
  scoreEffect: 0.2,
  rateEffect: 0.02,
}

export interface Judged {
  readonly state: State
  readonly statistics: readonly Statistic[]
}

/**
 * Significance alone warns; significance and size alarm. A row of each player comes at most once a
 * day, so only the rows of one mean day are taken as independent of each other.
 * @param days that the counts span
 */
export function judgeDrift(
  profile: Profile,
  counts: BinCounts,
  days: number,
  settings: InputSettings,
): Judged {
  if (counts.rows < settings.minRows) return insufficient
  const independent = counts.rows / days
  const subjects = [
    ...profile.features.map((reference, index) => ({
      subject: reference.name,
      shares: reference.shares,
      counts: counts.features[index] as readonly number[],
      referenceRows: reference.rows,
      effect: settings.featureEffect,
      others: distancesOf(reference, counts.features[index] as readonly number[]),
    })),
    {
      subject: scoreSubject,
      shares: profile.score.shares,
      counts: wideScoreBins(counts.score),
      referenceRows: profile.score.rows,
      effect: settings.scoreEffect,
      others: [],
    },
  ].map((one) => {
    const bins = one.shares.filter((share) => share > 0).length
    const sizes: Sizes = { rows: independent, referenceRows: one.referenceRows, bins }
    const index = stabilityIndex(one.shares, toShares(one.counts))
    return { ...one, index, sizes, p: stabilityPValue(index, sizes) }
  })
  const limit = falseDiscoveryLimit(
    subjects.map(({ p }) => p),
    settings.level,
  )
  const statistics = subjects.flatMap(({ subject, index, effect, sizes, p, others }) => {
    const isSignificant = p <= limit
    const state: State = !isSignificant ? 'ok' : index > effect ? 'alarm' : 'warning'
    const threshold = Math.max(effect, stabilityThreshold(settings.level, sizes))
    return [{ name: 'psi', subject, value: index, threshold, state }, ...others]
  })
  return { state: worst(statistics), statistics }
}

/** Rates of nulls and of unseen levels. A feed that breaks shows here first, in a single window. */
export function judgeQuality(profile: Profile, counts: BinCounts, settings: InputSettings): Judged {
  if (counts.rows < settings.minRowsOfRates) return insufficient
  const rates = profile.features.flatMap((reference, feature) => {
    const bins = counts.features[feature] as readonly number[]
    const nulls = bins.length - 1
    const rate = (name: string, bin: number) => {
      const [count, share] = [bins[bin] as number, reference.shares[bin] as number]
      const before = { count: share * reference.rows, rows: reference.rows }
      const p = risePValue({ count, rows: counts.rows }, before)
      return { name, subject: reference.name, value: count / counts.rows, share, p }
    }
    return reference.kind === 'numeric'
      ? [rate('null-rate', nulls)]
      : [rate('null-rate', nulls), rate('unseen-rate', nulls - 1)]
  })
  const limit = falseDiscoveryLimit(
    rates.map(({ p }) => p),
    settings.level,
  )
  const statistics = rates.map(({ name, subject, value, share, p }): Statistic => {
    const threshold = share + settings.rateEffect
    const isSignificant = p <= limit
    const isLarge = value > threshold
    // A new level is news about the world, not a broken feed: it shows as drift too.
    const atWorst = name === 'null-rate' ? 'alarm' : 'warning'
    const state = isSignificant && isLarge ? atWorst : isSignificant ? 'warning' : 'ok'
    return { name, subject, value, threshold, state }
  })
  return { state: worst(statistics), statistics }
}

const scoreSubject = 'score'

const insufficient: Judged = { state: 'insufficient-data', statistics: [] }

export function worst(statistics: readonly Pick<Statistic, 'state'>[]): State {
  const order: readonly State[] = ['alarm', 'warning', 'ok']
  return order.find((state) => statistics.some((one) => one.state === state)) ?? 'insufficient-data'
}

function wideScoreBins(score: readonly number[]): number[] {
  const width = score.length / profileScoreBins
  return Array.from({ length: profileScoreBins }, (_, bin) =>
    score.slice(bin * width, (bin + 1) * width).reduce((sum, count) => sum + count, 0),
  )
}

/** What a person looks at beside the index; of known values alone where bins have an order. */
function distancesOf(reference: FeatureReference, counts: readonly number[]): Statistic[] {
  const inform = (name: string, value: number): Statistic => ({
    name,
    subject: reference.name,
    value,
    threshold: null,
    state: 'ok',
  })
  const all = inform('js', jensenShannonDistance(reference.shares, toShares(counts)))
  if (reference.kind !== 'numeric' || reference.shares.length < 2) return [all]
  const known = toShares(counts.slice(0, -1))
  const before = toShares(reference.shares.slice(0, -1))
  return [
    all,
    inform('ks', kolmogorovSmirnov(before, known)),
    inform('w1', scaledWasserstein(before, known, reference.scale)),
  ]
}
