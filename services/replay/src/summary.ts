// What does a person want to know of a replay?

/** Figures by name, one a line; what is nested stands indented. */
export function summaryText(summary: object): string {
  return linesOf(summary, '').join('\n')
}

function linesOf(value: object, indent: string): string[] {
  return Object.entries(value).flatMap(([name, one]) => {
    if (Array.isArray(one) || one === undefined) return []
    if (typeof one !== 'object' || one === null) return [`${indent}${name}  ${String(one)}`]
    const lines = linesOf(one as object, `${indent}  `)
    return lines.length === 0 ? [] : [`${indent}${name}`, ...lines]
  })
}
