// How are figures printed?

export type Figures = Readonly<Record<string, number | string>>

/** A line each, aligned. */
export function toLines(figures: Figures): string {
  const width = Math.max(...Object.keys(figures).map(({ length }) => length))
  const lines = Object.entries(figures).map(([name, value]) => `${name.padEnd(width)}  ${value}`)
  return lines.join('\n')
}

/** In Markdown, aligned. */
export function toMarkdownTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] as string).length)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  )
}

export const grouped = (value: number): string => Math.round(value).toLocaleString('en-US')
