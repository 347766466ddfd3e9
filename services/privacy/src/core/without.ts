// What is left of a text of rows without those of a player?
import Papa from 'papaparse'

export interface Without {
  readonly text: string
  readonly removed: number
}

/** Whether a value of JSON is the player, or has them anywhere within. */
export function holds(value: unknown, playerId: string): boolean {
  if (typeof value === 'string') return value === playerId
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, held]) => key === playerId || holds(held, playerId))
}

/** Other lines stay as they are, to the byte. A line that is no JSON goes when it quotes the player. */
export function withoutInJsonLines(text: string, playerId: string): Without {
  const quoted = JSON.stringify(playerId)
  return kept(text.match(/[^\n]*\n|[^\n]+$/g) ?? [], (line) => {
    if (line.trim() === '') return false
    try {
      return holds(JSON.parse(line), playerId)
    } catch {
      return line.includes(quoted)
    }
  })
}

/** A row ends where a line ends outside of quotes. */
export function withoutInCsv(text: string, playerId: string): Without {
  const rows: string[] = []
  let open = ''
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    open += line
    const quotes = open.split('"').length - 1
    if (quotes % 2 === 1) continue
    rows.push(open)
    open = ''
  }
  if (open !== '') rows.push(open)
  return kept(rows, (row) => {
    if (!row.includes(playerId.replaceAll('"', '""'))) return false
    const [cells = []] = Papa.parse<string[]>(row, { delimiter: ',' }).data
    return cells.includes(playerId)
  })
}

/** undefined: the player is where no row can be taken out. */
export function withoutInJson(text: string, playerId: string): Without | undefined {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!holds(document, playerId)) return { text, removed: 0 }
  const rest = withoutRows(document, playerId)
  if (rest === undefined || holds(rest.document, playerId)) return undefined
  return { text: JSON.stringify(rest.document), removed: rest.removed }
}

/** Rows in a list, or in a list `data` whose labels may stand in `index`. */
function withoutRows(
  document: unknown,
  playerId: string,
): { readonly document: unknown; readonly removed: number } | undefined {
  if (Array.isArray(document)) {
    const rows = document.filter((row) => !holds(row, playerId))
    return { document: rows, removed: document.length - rows.length }
  }
  const { data, index } = document as { data?: unknown; index?: unknown }
  if (!Array.isArray(data)) return undefined
  const labels = Array.isArray(index) && index.length === data.length ? index : undefined
  const isKept = (row: unknown, at: number): boolean =>
    !holds(row, playerId) && !holds(labels?.[at], playerId)
  const rows = data.filter(isKept)
  return {
    document: {
      ...(document as object),
      ...(labels === undefined ? {} : { index: labels.filter((_, at) => isKept(data[at], at)) }),
      data: rows,
    },
    removed: data.length - rows.length,
  }
}

function kept(parts: readonly string[], isOf: (part: string) => boolean): Without {
  const rest = parts.filter((part) => !isOf(part))
  return { text: rest.join(''), removed: parts.length - rest.length }
}
