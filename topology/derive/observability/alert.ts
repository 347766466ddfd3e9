// What is an alert, and how is one proved?

/** Series in promtool's notation, one sample a minute, and when they are looked at. */
export interface Case {
  readonly series: Readonly<Record<string, string>>
  readonly at: string
}

export interface Alert {
  readonly name: string
  readonly expr: string
  /** How long it must hold; "0m": at once. */
  readonly for: string
  /** Who hears of it: somebody now, or somebody in working hours. */
  readonly severity: 'page' | 'ticket'
  readonly summary: string
  /** Both are run by promtool. */
  readonly cases: { readonly fires: Case; readonly quiet: Case }
}

/** Where docs/runbook.md says what to do: under a heading that is the alert's name. */
export const runbookOf = ({ name }: Pick<Alert, 'name'>): string =>
  `docs/runbook.md#${name.toLowerCase()}`
