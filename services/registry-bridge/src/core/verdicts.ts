// What do the scorers, together, say of a version?
import type { LoadReport } from '@churnstream/schemas'

/** The verdict of one replica on a version under one alias. */
export interface Verdict {
  readonly modelName: string
  readonly alias: string
  readonly modelVersion: string
  readonly epoch: number
  readonly verdict: 'accepted' | 'refused' | 'unhealthy'
  readonly reason: string
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly replica: string
  readonly scorerVersion: string
  readonly figures: Readonly<Record<string, number>>
}

/** The verdict in a report; undefined before the first one. */
export function verdictIn(report: LoadReport): Verdict | undefined {
  const { verdict, verdictVersion, verdictAt } = report
  if (verdictVersion === null) return undefined
  if (verdict !== 'accepted' && verdict !== 'refused' && verdict !== 'unhealthy') return undefined
  return {
    modelName: report.modelName,
    alias: report.alias,
    modelVersion: verdictVersion,
    epoch: report.verdictEpoch,
    verdict,
    reason: report.reason,
    detail: report.detail,
    at: verdictAt ?? report.reportedAt,
    replica: report.replica,
    scorerVersion: report.scorerVersion,
    figures: Object.fromEntries(report.verdictFigures.map(({ name, value }) => [name, value])),
  }
}

interface OfEpoch {
  readonly epoch: number
  readonly byReplica: ReadonlyMap<string, Verdict>
}

/** By alias: verdicts on one version in the newest epoch that the alias named it. */
export type Verdicts = ReadonlyMap<string, OfEpoch>

export const noVerdicts: Verdicts = new Map()

/** Adds one; what belongs to an older epoch of the alias says nothing any more. */
export function addVerdict(verdicts: Verdicts, given: Verdict): Verdicts {
  const { alias, epoch, replica } = given
  const known = verdicts.get(alias)
  if (known !== undefined && known.epoch > epoch) return verdicts
  const before = known?.epoch === epoch ? known.byReplica : new Map<string, Verdict>()
  const byReplica = new Map([...before, [replica, given]])
  return new Map([...verdicts, [alias, { epoch, byReplica }]])
}

/**
 * Within an epoch one replica that refuses outweighs all that accept. Across aliases unhealthy wins:
 * it was found in live traffic, and an acceptance elsewhere says only that the version loads.
 * Otherwise the newest verdict counts.
 */
export function mergedVerdict(verdicts: Verdicts): Verdict | undefined {
  const ofAliases = [...verdicts.values()].map(({ byReplica }) =>
    [...byReplica.values()].reduce(worse),
  )
  if (ofAliases.length === 0) return undefined
  return ofAliases.reduce((a, b) => {
    const unhealthy = [a, b].filter(({ verdict }) => verdict === 'unhealthy')
    if (unhealthy.length === 1) return unhealthy[0] as Verdict
    return b.at > a.at ? b : a
  })
}

const weight = { accepted: 0, refused: 1, unhealthy: 2 } as const

/** On a tie the newest, then the first by name, so that every bridge names the same replica. */
function worse(a: Verdict, b: Verdict): Verdict {
  const difference = weight[b.verdict] - weight[a.verdict] || b.at - a.at
  if (difference !== 0) return difference > 0 ? b : a
  return b.replica < a.replica ? b : a
}

/** What MLflow says of a version's verdict now. */
export interface Tagged {
  readonly verdict: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number | undefined
}

/**
 * True when a verdict must not replace what MLflow has: it is older, or it is an acceptance under
 * another alias than the one in which live traffic found the version unhealthy.
 */
export function isOutweighed(tagged: Tagged, { verdict, alias, at }: Verdict): boolean {
  if (tagged.at !== undefined && tagged.at > at) return true
  return tagged.verdict === 'unhealthy' && verdict === 'accepted' && alias !== 'champion'
}
