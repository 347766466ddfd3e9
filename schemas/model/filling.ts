// Which feature fills a column of a model, and how?
import { catalogue, type Feature } from '../src/catalogue.ts'
import type { Column } from './columns.ts'

/** How a column's number comes about from a vector. What is not known is NaN, or 0 in a one-hot. */
export type Filling =
  | { readonly kind: 'numeric'; readonly feature: string }
  /** 1 where the category is this level, else 0. */
  | { readonly kind: 'one-hot'; readonly feature: string; readonly level: string }
  /** The category's place among the levels, NaN for none and for others. */
  | { readonly kind: 'ordinal'; readonly feature: string; readonly levels: readonly string[] }

/** Undefined when no feature of the catalogue fills the column. */
export function fillingOf(
  { name, levels }: Column,
  features: readonly Feature[] = catalogue,
): Filling | undefined {
  const feature = features.find((candidate) => candidate.name === name)
  if (levels !== undefined) {
    return feature?.type === 'string' ? { kind: 'ordinal', feature: name, levels } : undefined
  }
  if (feature !== undefined) {
    return feature.type === 'double' ? { kind: 'numeric', feature: name } : undefined
  }
  const categorical = features
    .filter((candidate) => candidate.type === 'string' && name.startsWith(`${candidate.name}_`))
    .toSorted((a, b) => b.name.length - a.name.length)[0]
  if (categorical === undefined) return undefined
  const level = name.slice(categorical.name.length + 1)
  return { kind: 'one-hot', feature: categorical.name, level }
}
