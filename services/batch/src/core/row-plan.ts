// What fills each column of a model from the columns of a file?
import { fillingOf, type Column } from '@churnstream/schemas/model'
import { toIndicator, toNumber, type NumberColumn, type RowProblem } from './cells.ts'

export const keyNames = { player: 'player_id', asOf: 'as_of', market: 'market' } as const

/** Either the model's own column, or the category that a one-hot column is about. */
export type Filler =
  | { readonly kind: 'own'; readonly column: NumberColumn }
  | { readonly kind: 'category'; readonly feature: string; readonly level: string }

export interface RowPlan {
  readonly fillers: readonly Filler[]
  /** What neither the model's columns nor the features by name give, each with what would do. */
  readonly missing: readonly string[]
  /** Columns of the file that nothing needs. */
  readonly ignored: readonly string[]
}

/** @param named columns of the file; with a market for all rows, `market` need not be among them */
export function planRows(
  columns: readonly Column[],
  named: Iterable<string>,
  hasMarket: boolean,
): RowPlan {
  const names = new Set(named)
  const has = (name: string) => names.has(name) || (hasMarket && name === keyNames.market)
  const missing: string[] = []
  const fillers = columns.map((column): Filler => {
    const { name, levels } = column
    const filling = fillingOf(column)
    const isOneHot = filling?.kind === 'one-hot'
    if (isOneHot && !names.has(name)) {
      const { feature, level } = filling
      if (!has(feature)) missing.push(`${name} (or ${feature})`)
      return { kind: 'category', feature, level }
    }
    if (!names.has(name)) missing.push(name)
    const own = { name, isIndicator: isOneHot, ...(levels === undefined ? {} : { levels }) }
    return { kind: 'own', column: own }
  })
  const needed = new Set([...Object.values(keyNames), ...fillers.map(nameOf)])
  return { fillers, missing, ignored: [...names].filter((name) => !needed.has(name)) }
}

export const nameOf = (filler: Filler): string =>
  filler.kind === 'own' ? filler.column.name : filler.feature

/**
 * Writes one column of row-major rows; each number is rounded to float32 once. Rows that have a
 * problem already are left alone.
 */
export function fillColumn(
  cells: ArrayLike<unknown>,
  filler: Filler,
  isText: boolean,
  rows: Float32Array,
  width: number,
  at: number,
  problems: Map<number, RowProblem>,
): void {
  const count = rows.length / width
  const isClean = problems.size === 0
  for (let index = 0; index < count; index++) {
    const value =
      filler.kind === 'own'
        ? toNumber(cells[index], filler.column, isText)
        : toIndicator(cells[index], filler.feature, filler.level)
    if (typeof value === 'number') rows[index * width + at] = value
    else if (isClean || !problems.has(index)) problems.set(index, value)
  }
}
