// Which rows does a JSON document hold, whichever way pandas wrote it?

/** Rows of cells; without names the columns are counted. */
export interface Table {
  readonly names: readonly string[] | undefined
  readonly rows: readonly (readonly unknown[])[]
}

/** Says what is wrong; continues a sentence that begins with the file. */
export class TableProblem {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

/**
 * A parsed document in pandas' orientations columns, records, split, index, values or table. JSON
 * that was parsed with parseOrdered keeps the order of rows.
 * @param expected names by which the side that bears the columns is known
 */
export function toTable(document: unknown, expected: ReadonlySet<string>): Table | TableProblem {
  if (Array.isArray(document)) return ofList(document)
  if (!isObject(document)) return new TableProblem('holds neither a list nor an object')
  const keys = Object.keys(document)
  const isSplit = 'columns' in document && 'data' in document
  if (isSplit && keys.every((key) => ['columns', 'index', 'data'].includes(key))) {
    return ofRows(document['columns'], document['data'])
  }
  if (keys.length === 2 && 'schema' in document && 'data' in document) return ofTable(document)
  return ofObject(document, expected)
}

function ofList(list: readonly unknown[]): Table | TableProblem {
  if (list.every(isObject)) return ofRecords(list)
  if (list.every((row) => Array.isArray(row))) return { names: undefined, rows: list }
  return new TableProblem('is a list of neither objects nor lists')
}

function ofRecords(records: readonly Fields[]): Table {
  const found = new Set<string>()
  for (const record of records) for (const name of Object.keys(record)) found.add(name)
  const keys = [...found]
  const rows = records.map((record) => keys.map((key) => own(record, key)))
  return { names: keys.map(unmarked), rows }
}

function ofRows(names: unknown, rows: unknown): Table | TableProblem {
  if (!Array.isArray(names)) return new TableProblem('has no list of columns')
  if (!Array.isArray(rows) || !rows.every((row) => Array.isArray(row))) {
    return new TableProblem('has no list of rows')
  }
  return { names: names.map(String), rows }
}

function ofTable({ schema, data }: Fields): Table | TableProblem {
  const key: unknown = isObject(schema) ? schema['primaryKey'] : undefined
  const index = new Set(Array.isArray(key) ? key : [])
  if (!Array.isArray(data) || !data.every(isObject)) return new TableProblem('has no list of rows')
  const { names = [], rows } = ofRecords(data)
  const kept = names.flatMap((name, at) => (index.has(name) ? [] : [at]))
  return {
    names: kept.map((at) => names[at] as string),
    rows: rows.map((row) => kept.map((at) => row[at])),
  }
}

/** `{outer: {inner: cell}}` by column or by row: whichever side bears the columns' names. */
function ofObject(document: Fields, expected: ReadonlySet<string>): Table | TableProblem {
  const names = Object.keys(document).map(unmarked)
  const parts = Object.values(document)
  if (parts.length > 0 && parts.every((part) => Array.isArray(part))) {
    const lengths = new Set(parts.map(({ length }) => length))
    if (lengths.size > 1) return new TableProblem('has columns of different lengths')
    const [count = 0] = lengths
    const rows = Array.from({ length: count }, (_, row) => parts.map((part): unknown => part[row]))
    return { names, rows }
  }
  if (parts.length === 0) return { names: [], rows: [] }
  if (!parts.every(isObject)) return ofRecords([document])
  const labels = [...new Set(parts.flatMap((part) => Object.keys(part)))]
  const count = (some: readonly string[]) =>
    some.filter((name) => expected.has(unmarked(name))).length
  if (count(labels) > count(names)) return ofRecords(parts)
  return { names, rows: labels.map((label) => parts.map((part) => own(part, label))) }
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const own = (fields: Fields, name: string): unknown =>
  Object.hasOwn(fields, name) ? fields[name] : undefined

/** Before a key that is a whole number; no column's name begins with it. */
const mark = '\u0000'
const unmarked = (name: string): string => (name.startsWith(mark) ? name.slice(1) : name)

/**
 * JSON.parse, for toTable: rows stand in the order of the text. JavaScript puts keys that are whole
 * numbers, as row labels are, in the order of the numbers, so they are marked.
 * @throws SyntaxError
 */
export function parseOrdered(text: string): unknown {
  // A quote that opens a text never follows a backslash, and a text before a colon is a key.
  return JSON.parse(text.replaceAll(/(?<!\\)"(\d+)"(\s*:)/g, '"\\u0000$1"$2'))
}
