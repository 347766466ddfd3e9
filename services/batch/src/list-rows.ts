// How is a list of objects, or of lists, a batch of rows?
import { RowProblem } from './core/cells.ts'
import type { RowBatch } from './row-batch.ts'

/** An object names its cells; a list has them in the order of the names; anything else is none. */
export function toListBatch(
  rows: readonly unknown[],
  first: number,
  names: readonly string[],
  unread: ReadonlyMap<number, RowProblem> = new Map(),
): RowBatch {
  const problems = new Map(unread)
  const places = new Map(names.map((name, index) => [name, index]))
  for (const [index, row] of rows.entries()) {
    if (problems.has(index)) continue
    if (Array.isArray(row)) {
      if (row.length === names.length) continue
      const detail = `it has ${row.length} fields where ${names.length} are due`
      problems.set(index, new RowProblem('wrong-number-of-fields', detail))
    } else if (typeof row !== 'object' || row === null) {
      problems.set(index, new RowProblem('unreadable-line', 'it is neither an object nor a list'))
    }
  }
  return {
    first,
    length: rows.length,
    problems,
    async column(name) {
      const place = places.get(name) ?? -1
      return rows.map((row) => {
        if (Array.isArray(row)) return row[place] as unknown
        return (row as Readonly<Record<string, unknown>> | null | undefined)?.[name]
      })
    },
    async values(indexes) {
      return indexes.map((index) => {
        const row = rows[index]
        if (!Array.isArray(row) || row.length !== names.length) return row
        return Object.fromEntries(names.map((name, place) => [name, row[place]]))
      })
    },
  }
}
