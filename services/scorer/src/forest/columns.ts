// Which bytes of a row do a forest's splits compare?
import { nextFloat, type Ensemble, type Split, type Tree } from './ensemble.ts'

/** Of one feature: a value's rank is the number of thresholds that are at most the value. */
export interface RankTable {
  readonly feature: number
  /** Ascending, no more than a byte can count. */
  readonly thresholds: readonly number[]
  /** Where the rank goes with 0 for NaN, and where with 255; to 0 where nobody asks. */
  lowColumn: number
  highColumn: number
}

/** The target becomes 1 where the column's rank is one of these, else 0. */
export interface MemberSet {
  readonly column: number
  readonly ranks: readonly number[]
  readonly target: number
  /** The target stays 1 where it was: a set whose ranks lie in several tables. */
  readonly isMore: boolean
}

/** High is where the column's byte, as a signed one, is above this one. */
export interface Place {
  readonly column: number
  readonly above: number
}

export const thresholdsPerTable = 255
/** A member has two ranks, being it and being past it; one is left for NaN. */
export const membersPerTable = 127
const nanRank = 255
/** Column 0 is nobody's: what no split asks for goes there. */
const nobody = 0

/** Bytes are compared as signed ones, which is one instruction. */
export const toSigned = (rank: number): number => rank - 128

/**
 * Each value is ranked once, and every split is then a comparison of a byte. A rank among the
 * model's own thresholds loses nothing: two values between the same thresholds are the same to it.
 */
export class Columns {
  readonly tables: RankTable[] = []
  readonly sets: MemberSet[] = []
  count = 1
  readonly #thresholds: ReadonlyMap<number, Ranked>
  readonly #members: ReadonlyMap<number, Ranked>
  readonly #targets = new Map<string, number>()

  constructor({ trees }: Ensemble) {
    const thresholds = new Map<number, Set<number>>()
    const members = new Map<number, Set<number>>()
    for (const { feature, test } of trees.flatMap((tree) => [...splitsOf(tree)])) {
      const [asked, values] =
        typeof test === 'number' ? [thresholds, [test]] : ([members, test] as const)
      const known = asked.get(feature) ?? new Set()
      asked.set(feature, known)
      for (const value of values) known.add(value)
    }
    this.#thresholds = this.#rank(thresholds, thresholdsPerTable, (value) => [value])
    this.#members = this.#rank(members, membersPerTable, (value) => [value, nextFloat(value)])
  }

  placeOf({ feature, test, isNullHigh }: Split): Place {
    if (typeof test !== 'number')
      return { column: this.#target(feature, test, isNullHigh), above: 0 }
    const { table, index } = rankIn(this.#thresholds, feature, test)
    return { column: this.#columnOf(table, isNullHigh), above: toSigned(index) }
  }

  #rank(
    asked: ReadonlyMap<number, ReadonlySet<number>>,
    perTable: number,
    thresholdsOf: (value: number) => number[],
  ): Map<number, Ranked> {
    const ranked = new Map<number, Ranked>()
    for (const [feature, values] of asked) {
      const sorted = [...values].sort((a, b) => a - b)
      const places: Ranked = new Map()
      for (let start = 0; start < sorted.length; start += perTable) {
        const some = sorted.slice(start, start + perTable)
        const thresholds = some.flatMap(thresholdsOf)
        const table = { feature, thresholds, lowColumn: nobody, highColumn: nobody }
        this.tables.push(table)
        for (const [index, value] of some.entries()) places.set(value, { table, index })
      }
      ranked.set(feature, places)
    }
    return ranked
  }

  #columnOf(table: RankTable, isNullHigh: boolean): number {
    const name = isNullHigh ? 'highColumn' : 'lowColumn'
    if (table[name] === nobody) table[name] = this.count++
    return table[name]
  }

  #target(feature: number, members: readonly number[], isNullHigh: boolean): number {
    const key = `${feature} ${isNullHigh} ${members.join()}`
    const known = this.#targets.get(key)
    if (known !== undefined) return known
    const target = this.count++
    this.#targets.set(key, target)
    const places = members.map((member) => rankIn(this.#members, feature, member))
    let isMore = false
    for (const [table, some] of Map.groupBy(places, ({ table }) => table)) {
      const ranks = some.map(({ index }) => index * 2 + 1)
      if (isNullHigh && !isMore) ranks.push(nanRank)
      this.sets.push({ column: this.#columnOf(table, true), ranks, target, isMore })
      isMore = true
    }
    return target
  }
}

type Ranked = Map<number, { readonly table: RankTable; readonly index: number }>

function rankIn(ranked: ReadonlyMap<number, Ranked>, feature: number, value: number) {
  const place = ranked.get(feature)?.get(value)
  if (place === undefined) throw new Error(`feature ${feature} was not ranked by ${value}`)
  return place
}

function* splitsOf(tree: Tree): Generator<Split> {
  const waiting = [tree]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next === 'number') continue
    yield next
    waiting.push(next.low, next.high)
  }
}
