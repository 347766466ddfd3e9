// What do npm audit and pip-audit say, and did they ask anybody at all?

export interface Findings {
  /** One line each. */
  readonly found: readonly string[]
  /** Why some or all could not be asked about. */
  readonly unchecked?: string
}

interface NpmAnswer {
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly severity: string; readonly range: string }>
  >
  readonly message?: string
}

export function npmFindings(output: string): Findings {
  const answer = parsed(output) as NpmAnswer | undefined
  if (answer?.vulnerabilities === undefined) {
    return { found: [], unchecked: answer?.message?.split(' - ')[0] ?? 'npm gave no answer' }
  }
  const entries = Object.entries(answer.vulnerabilities)
  return { found: entries.map(([name, { severity, range }]) => `${name} ${range}: ${severity}`) }
}

interface PipAnswer {
  readonly dependencies?: readonly {
    readonly name: string
    readonly version?: string
    readonly skip_reason?: string
    readonly vulns?: readonly { readonly id: string; readonly fix_versions: readonly string[] }[]
  }[]
}

/** pip-audit ends well also when it could ask about nothing. */
export function pythonFindings(output: string): Findings {
  const { dependencies = [] } = (parsed(output) ?? {}) as PipAnswer
  if (dependencies.length === 0) return { found: [], unchecked: 'pip-audit gave no answer' }
  const found = dependencies.flatMap(({ name, version, vulns = [] }) =>
    vulns.map(({ id, fix_versions: fixed }) => {
      const since = fixed.length === 0 ? 'no version without it' : `mended in ${fixed.join(', ')}`
      return `${name} ${version}: ${id}, ${since}`
    }),
  )
  const skipped = dependencies.filter(({ skip_reason: reason }) => reason !== undefined)
  if (skipped.length === 0) return { found }
  return {
    found,
    unchecked: `${skipped.length} of ${dependencies.length} packages: the index does not tell of them`,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
