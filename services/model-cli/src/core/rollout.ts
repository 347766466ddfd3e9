// How far has an alias come: which replica follows it, which refuses, which has not answered?
import type { LoadReport } from '@churnstream/schemas'

/** A replica that has said nothing for longer is not waited for. Scorers report every few seconds. */
export const liveMs = 120_000

export interface Goal {
  readonly modelName: string
  readonly alias: string
  readonly modelVersion: string
  /** Of the event that announced it. */
  readonly epoch: number
}

export type ReplicaState =
  | { readonly replica: string; readonly state: 'waiting' | 'loaded' | 'overtaken' }
  | {
      readonly replica: string
      readonly state: 'refused'
      readonly reason: string
      readonly detail: string
      /** What scores there instead. */
      readonly goesOn: string | null
    }

/** Every live replica once, by name. Reports are the newest of each key. */
export function replicaStates(
  reports: Iterable<LoadReport>,
  goal: Goal,
  nowMs: number,
): ReplicaState[] {
  const live = [...reports].filter(({ reportedAt }) => nowMs - reportedAt <= liveMs)
  const replicas = [...new Set(live.map(({ replica }) => replica))].sort()
  return replicas.map((replica): ReplicaState => {
    const report = live.find(
      (one) =>
        one.replica === replica && one.modelName === goal.modelName && one.alias === goal.alias,
    )
    if (report === undefined) return { replica, state: 'waiting' }
    const { loadedEpoch, verdictEpoch, verdict } = report
    if (Math.max(loadedEpoch, verdictEpoch) > goal.epoch) return { replica, state: 'overtaken' }
    const isBad = verdict === 'refused' || verdict === 'unhealthy'
    if (verdictEpoch === goal.epoch && isBad) {
      const { reason, detail, loadedVersion: goesOn } = report
      return { replica, state: 'refused', reason, detail, goesOn }
    }
    return { replica, state: loadedEpoch === goal.epoch ? 'loaded' : 'waiting' }
  })
}

export interface Outcome {
  readonly isDone: boolean
  readonly isGood: boolean
  readonly text: string
}

const does: Readonly<Record<string, string>> = {
  champion: 'serves',
  challenger: 'scores in the shadow',
}

const of = (some: readonly unknown[], all: readonly unknown[]): string =>
  `${some.length} of ${all.length} replica${all.length === 1 ? '' : 's'}`

/** Done when every live replica has answered. */
export function toOutcome(goal: Goal, states: readonly ReplicaState[], tookMs: number): Outcome {
  const { modelName, modelVersion, alias } = goal
  const version = `version ${modelVersion} of ${modelName}`
  const loaded = states.filter(({ state }) => state === 'loaded')
  const waiting = states.filter(({ state }) => state === 'waiting')
  const refused = states.flatMap((one) => (one.state === 'refused' ? [one] : []))
  const seconds = `${(tookMs / 1000).toFixed(1)} s`
  const isDone = states.length > 0 && waiting.length === 0
  if (refused.length > 0) {
    const lines = refused.map(({ replica, reason, detail, goesOn }) => {
      const instead = goesOn === null ? 'nothing scores there' : `version ${goesOn} goes on`
      return `  ${replica}: ${reason}: ${detail}; ${instead}`
    })
    const text = `${version} was refused as ${alias} by ${of(refused, states)}\n${lines.join('\n')}`
    return { isDone, isGood: false, text }
  }
  if (states.some(({ state }) => state === 'overtaken')) {
    return { isDone, isGood: false, text: `another version came after ${version} as ${alias}` }
  }
  if (isDone) {
    return {
      isDone,
      isGood: true,
      text: `${version} ${does[alias] ?? 'is loaded'} on ${of(loaded, states)} after ${seconds}`,
    }
  }
  const text =
    states.length === 0
      ? `no scorer replica has reported in the last ${liveMs / 60_000} minutes: is a scorer running?`
      : `no answer after ${seconds} from ${waiting.map(({ replica }) => replica).join(', ')}`
  return { isDone, isGood: false, text: `${text}\n${version} stands under ${alias} in MLflow` }
}
