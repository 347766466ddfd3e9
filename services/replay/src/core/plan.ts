// Is a replay the one that was begun under its id?
import type { SourcePlan } from './source-plan.ts'

/** Everything that its scores follow from. */
export interface Plan {
  readonly id: string
  /** Of vectors, by as_of: from fromAt up to, not including, toAt. */
  readonly fromAt: number
  readonly toAt: number
  /** Only players who were there; null: of all markets. */
  readonly market: string | null
  readonly modelName: string
  readonly modelVersion: string
  readonly source: SourcePlan
}

/**
 * How the plan of a run differs from the one that was begun; undefined when it goes on with it. The
 * end of a topic is no difference: the run that began has noted it for all that follow.
 */
export function planDifference(begun: Plan, now: Plan): string | undefined {
  const plain = ['id', 'fromAt', 'toAt', 'market', 'modelName', 'modelVersion'] as const
  for (const name of plain) {
    if (begun[name] !== now[name]) return `${name} was ${begun[name]} and is ${now[name]}`
  }
  const [a, b] = [begun.source, now.source]
  if (a.kind === 'topic' && b.kind === 'topic') return undefined
  if (a.kind === 'files' && b.kind === 'files') {
    return a.sha256 === b.sha256 ? undefined : `the files of ${b.location} are others now`
  }
  return `its source was a ${a.kind} and is a ${b.kind}`
}
