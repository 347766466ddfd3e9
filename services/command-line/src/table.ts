// How do cells become aligned lines?

export interface TableOptions {
  readonly indent?: string
  /** Columns that stand to the right; none unless told. */
  readonly isRight?: (column: number) => boolean
}

/** Two spaces between columns, none at the end of a line. Cells hold no line breaks. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { indent = '', isRight = () => false }: TableOptions = {},
): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      widths.map((width, column) => {
        const cell = line[column] ?? ''
        return isRight(column) ? cell.padStart(width) : cell.padEnd(width)
      }),
    )
    .map((cells) => indent + cells.join('  '))
    .map((line) => line.trimEnd())
    .join('\n')
}

/** `12 s ago`; – for never. */
export function ageText(atMs: number | null | undefined, nowMs: number): string {
  if (atMs === null || atMs === undefined || Number.isNaN(atMs)) return '–'
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000))
  if (seconds < 90) return `${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`
}
