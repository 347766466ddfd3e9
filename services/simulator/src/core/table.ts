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
  const all = [['Figure', 'Simulated', 'Anchor', 'Range', 'In range'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => `${'-'.repeat(width + 1)}${i === 1 ? ':' : '-'}`).join('|')}|`
  return [line(all[0]!), rule, ...rows.map(line)].join('\n')
}

export function inRange({ value, range }: Figure): boolean {
  return range === undefined || (value >= range[0] && value <= range[1])
}

function format({ value, unit }: Pick<Figure, 'value' | 'unit'>): string {
  if (unit === 'share') return `${(100 * value).toFixed(1)} %`
  if (unit === 'days') return `${value.toFixed(1)} d`
  return value.toFixed(value < 100 ? 2 : 0)
}
