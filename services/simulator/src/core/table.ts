// How does a person read the figures?
import type { Figure } from './describe.ts'

/** A Markdown table; `?` marks a figure outside the range that its anchor allows. */
export function toTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    format(figure),
    figure.anchor,
    figure.range
      ? figure.range.map((bound) => format({ ...figure, value: bound })).join(' to ')
      : '-',
    figure.range ? (inRange(figure) ? 'yes' : 'NO') : '-',
  ])
  const header = ['Figure', 'Simulated', 'Anchor', 'Range', 'In range']
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? ''
      return column === 1 ? cell.padStart(width) : cell.padEnd(width)
    })
    return `| ${padded.join(' | ')} |`
  }
  // Figures stand to the right.
  const rule = widths.map((width, column) => `${'-'.repeat(width + 1)}${column === 1 ? ':' : '-'}`)
  return [line(header), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')
}

export function inRange({ value, range }: Figure): boolean {
  return range === undefined || (value >= range[0] && value <= range[1])
}

function format({ value, unit }: Pick<Figure, 'value' | 'unit'>): string {
  if (unit === 'share') return `${(100 * value).toFixed(1)} %`
  if (unit === 'days') return `${value.toFixed(1)} d`
  return value.toFixed(value < 100 ? 2 : 0)
}
