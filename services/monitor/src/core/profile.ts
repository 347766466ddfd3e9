// What did the data and the scores look like at training?
import { z } from 'zod'
import type { CalibrationBin } from './performance/estimated.ts'
import { hanleyMcNeilError } from './performance/roc-auc.ts'
import type { Measured } from './performance/labelled.ts'
import type { Scale } from './statistics/wasserstein.ts'

interface Reference {
  readonly name: string
  /** Share of all rows in each bin, those of no value last. */
  readonly shares: readonly number[]
  readonly rows: number
  /** Share in the gain of the model's splits; the same for all in a profile that does not say. */
  readonly importance: number
}

/** Bin i holds the values above edges[i − 1] and up to edges[i]; the last bin holds nulls. */
export interface NumericReference extends Reference {
  readonly kind: 'numeric'
  readonly scale: Scale
}

/** A bin for each level, then one for other levels and one for nulls. */
export interface CategoricalReference extends Reference {
  readonly kind: 'categorical'
  readonly levels: readonly string[]
}

export type FeatureReference = NumericReference | CategoricalReference

export interface Profile {
  readonly features: readonly FeatureReference[]
  readonly score: { readonly shares: readonly number[]; readonly rows: number }
  /** Lowest scores first; empty where no labels were known. */
  readonly calibration: readonly CalibrationBin[]
  /** Of the test days; undefined for a model that came without. */
  readonly auc: Measured | undefined
}

/** Scores are counted in bins of equal width; the profile's own are ten times as wide. */
export const scoreBins = 200
export const profileScoreBins = 20

const share = z.number().min(0).max(1)
const known = z.number().nullable()
const ofAll = {
  name: z.string(),
  count: z.number().int().positive(),
  nullRate: share,
  importance: share.optional(),
}
const feature = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('numeric'),
    ...ofAll,
    sd: known,
    min: known,
    max: known,
    edges: z.array(z.number()),
    shares: z.array(share),
  }),
  z.object({
    type: z.literal('categorical'),
    ...ofAll,
    levels: z.record(z.string(), share),
    other: share,
  }),
])
const document = z.object({
  schemaVersion: z.literal(1),
  rows: z.number().int().positive(),
  features: z.array(feature),
  score: z.object({ count: z.number().int(), shares: z.array(share).length(profileScoreBins) }),
  calibration: z.array(
    z.object({ count: z.number(), meanScore: z.number(), churnRate: z.number() }),
  ),
  metrics: z.record(z.string(), known).optional(),
})

/** Of reference_profile.json. @throws Error that says what is wrong with the text */
export function parseProfile(text: string): Profile {
  const result = document.safeParse(JSON.parse(text))
  if (!result.success) throw new Error(`no reference profile:\n${z.prettifyError(result.error)}`)
  const { features, score, calibration, metrics = {} } = result.data
  const metric = (name: string): number | undefined => metrics[name] ?? undefined
  const auc = metric('auc')
  const baseRate = metric('base_rate')
  const churned = score.count * (baseRate ?? NaN)
  return {
    features: features.map((one) => toReference(one, 1 / features.length)),
    score: { shares: score.shares, rows: score.count },
    calibration,
    auc:
      auc === undefined || !(churned > 0)
        ? undefined
        : { value: auc, standardError: hanleyMcNeilError(auc, churned, score.count - churned) },
  }
}

function toReference(
  feature: z.output<typeof document>['features'][number],
  evenShare: number,
): FeatureReference {
  const { name, count: rows, nullRate, importance = evenShare } = feature
  if (feature.type === 'categorical') {
    const levels = Object.keys(feature.levels)
    return {
      kind: 'categorical',
      name,
      levels,
      rows,
      importance,
      shares: [...Object.values(feature.levels), feature.other, nullRate],
    }
  }
  const { edges, shares, min, max, sd } = feature
  return {
    kind: 'numeric',
    name,
    rows,
    importance,
    // Those in the profile are shares of the known values.
    shares: [...shares.map((value) => value * (1 - nullRate)), nullRate],
    scale: { edges, min: min ?? 0, max: max ?? 0, sd: sd ?? 0 },
  }
}
