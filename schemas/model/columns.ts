// Which columns does a model have, in which order?
import { ContractProblem } from './problem.ts'

/** One input of a model. With levels it is ordinal: the index of the category among them. */
export interface Column {
  readonly name: string
  readonly levels?: readonly string[]
}

/** columns.json: a list of names, or of {name, levels} for ordinal columns. */
export function parseColumns(text: string): Column[] | ContractProblem {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    return new ContractProblem('columns-unreadable', `columns.json: ${(error as Error).message}`)
  }
  if (!Array.isArray(parsed) || parsed.length === 0) {
    return new ContractProblem('columns-unreadable', 'columns.json is not a list of columns')
  }
  const columns: Column[] = []
  const seen = new Set<string>()
  for (const [index, entry] of parsed.entries()) {
    const column = toColumn(entry)
    if (column === undefined) {
      return new ContractProblem(
        'columns-unreadable',
        `columns.json: entry ${index} is neither a name nor {"name", "levels": [text, …]}`,
      )
    }
    if (seen.has(column.name)) {
      const detail = `columns.json names ${column.name} twice`
      return new ContractProblem('duplicate-column', detail, column.name)
    }
    seen.add(column.name)
    columns.push(column)
  }
  return columns
}

function toColumn(entry: unknown): Column | undefined {
  if (typeof entry === 'string' && entry !== '') return { name: entry }
  const { name, levels } = (entry ?? {}) as { name?: unknown; levels?: unknown }
  if (typeof name !== 'string' || name === '') return undefined
  if (!Array.isArray(levels) || levels.length === 0) return undefined
  if (!levels.every((level) => typeof level === 'string')) return undefined
  if (new Set(levels).size !== levels.length) return undefined
  return { name, levels }
}
