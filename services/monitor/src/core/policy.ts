// When is a new version worth asking for?
import type { Figure } from './performance-of.ts'
import type { FeatureReference } from './profile.ts'

export interface PolicySettings {
  /** Ask after so many days without a request whatever was found; null: never by the calendar. */
  readonly calendarDays: number | null
  /** After a request, so many days without another. */
  readonly cooldownDays: number
  /** Labels there must be, and churned among them, to train on. */
  readonly minLabels: number
  readonly minChurned: number
  /** What the features that drifted must add up to, by their importance. */
  readonly driftedShare: number
  /** Ask when so many labels are new since the last request; null: never for that. */
  readonly enoughLabels: number | null
  /** So long after a day with a broken feed nothing is asked for. */
  readonly qualityHoldDays: number
}

export const usualPolicySettings: PolicySettings = {
  calendarDays: 30,
  cooldownDays: 14,
  minLabels: 1_000,
  minChurned: 200,
  driftedShare: 0.3,
  enoughLabels: null,
  qualityHoldDays: 7,
}

export type Reason =
  | 'performance-fell'
  | 'calibration-off'
  | 'estimate-fell'
  | 'inputs-drifted'
  | 'scores-drifted'
  | 'enough-labels'
  | 'calendar'

/** Two of the last three windows that could say something. */
export const isConfirmed = (alarms: readonly boolean[]): boolean =>
  alarms.filter(Boolean).length >= 2

export const lookBack = 3

/** What is remembered of a model, as plain JSON. Days are UTC days since the epoch. */
export interface ModelMemory {
  /** Of the version that serves: memory of drift and performance is its own. */
  readonly modelVersion: string
  readonly servingSince: number
  /** Alarms of the last windows by what was looked at, oldest first. */
  readonly alarms: Readonly<Record<string, readonly boolean[]>>
  readonly labels: number
  readonly churned: number
  readonly labelsAtRequest: number
  readonly requestedOn: number | null
  readonly cooldownUntilDay: number
  /** Days on which the feed was broken. */
  readonly brokenDays: readonly number[]
}

export const newModel = (modelVersion: string, day: number): ModelMemory => ({
  modelVersion,
  servingSince: day,
  alarms: {},
  labels: 0,
  churned: 0,
  labelsAtRequest: 0,
  requestedOn: null,
  cooldownUntilDay: 0,
  brokenDays: [],
})

/** Another version serves now: what was found of the one before says nothing about it. */
export const withVersion = (memory: ModelMemory, modelVersion: string, day: number): ModelMemory =>
  memory.modelVersion === modelVersion
    ? memory
    : { ...memory, modelVersion, servingSince: day, alarms: {} }

export function withAlarm(memory: ModelMemory, subject: string, alarm: boolean): ModelMemory {
  const alarms = [...(memory.alarms[subject] ?? []), alarm].slice(-lookBack)
  return { ...memory, alarms: { ...memory.alarms, [subject]: alarms } }
}

export interface Proposal {
  readonly reason: Reason
  readonly evidence: Readonly<Record<string, unknown>>
}

/** A window that was just judged; the days that it speaks of must have had a whole feed. */
export interface Found {
  readonly kind: 'drift' | 'estimate' | 'performance'
  readonly fromDay: number
  readonly toDay: number
  readonly figures: readonly Figure[]
}

/** What a window gives reason for, the weightiest first. */
export function proposalOf(
  memory: ModelMemory,
  { kind, fromDay, toDay, figures }: Found,
  features: readonly Pick<FeatureReference, 'name' | 'importance'>[],
  settings: PolicySettings,
): Proposal | undefined {
  const confirmed = (subject: string) => isConfirmed(memory.alarms[subject] ?? [])
  const days = { fromDay: dateOf(fromDay), toDay: dateOf(toDay) }
  const named = (...names: string[]) => figures.filter(({ name }) => names.includes(name))
  const told = (chosen: readonly Figure[]) =>
    chosen.map(({ name, subject, value, low, high, threshold }) => ({
      name,
      ...(subject === '' ? {} : { subject }),
      value,
      ...(low === null ? {} : { low, high }),
      threshold,
    }))
  if (kind === 'performance') {
    if (confirmed('auc')) {
      return { reason: 'performance-fell', evidence: { ...days, figures: told(named('auc')) } }
    }
    if (confirmed('log-loss') || confirmed('calibration-error')) {
      const figures = told(
        named('log-loss', 'calibration-error', 'calibration-slope', 'calibration-intercept'),
      )
      return { reason: 'calibration-off', evidence: { ...days, figures, tryFirst: 'recalibrate' } }
    }
    return undefined
  }
  if (kind === 'estimate') {
    if (!confirmed('estimated-auc')) return undefined
    return { reason: 'estimate-fell', evidence: { ...days, figures: told(named('estimated-auc')) } }
  }
  const drifted = features.filter(({ name }) => confirmed(`psi ${name}`))
  const share = drifted.reduce((sum, { importance }) => sum + importance, 0)
  const indexes = (subjects: readonly string[]) =>
    told(figures.filter(({ name, subject }) => name === 'psi' && subjects.includes(subject)))
  // Shares that add up to the threshold may fall short of it by rounding.
  if (drifted.length > 0 && share + 1e-9 >= settings.driftedShare) {
    const evidence = { ...days, share, figures: indexes(drifted.map(({ name }) => name)) }
    return { reason: 'inputs-drifted', evidence }
  }
  if (confirmed('psi score')) {
    return { reason: 'scores-drifted', evidence: { ...days, figures: indexes(['score']) } }
  }
  return undefined
}

/** What time alone gives reason for. */
export function proposalByTime(
  memory: ModelMemory,
  day: number,
  { calendarDays, enoughLabels }: PolicySettings,
): Proposal | undefined {
  const since = memory.requestedOn ?? memory.servingSince
  const newLabels = memory.labels - memory.labelsAtRequest
  if (enoughLabels !== null && newLabels >= enoughLabels) {
    return { reason: 'enough-labels', evidence: { newLabels, threshold: enoughLabels } }
  }
  if (calendarDays !== null && day - since >= calendarDays) {
    return { reason: 'calendar', evidence: { since: dateOf(since), threshold: calendarDays } }
  }
  return undefined
}

export type Guard = 'broken-feed' | 'cooldown' | 'too-few-labels'

/** Why a proposal must wait; undefined when nothing holds it. The feed is asked first. */
export function guardOf(
  memory: ModelMemory,
  day: number,
  spokenOf: { readonly fromDay: number; readonly toDay: number } | undefined,
  settings: PolicySettings,
): Guard | undefined {
  const isBroken = memory.brokenDays.some(
    (broken) =>
      broken > day - settings.qualityHoldDays ||
      (spokenOf !== undefined && broken >= spokenOf.fromDay && broken <= spokenOf.toDay),
  )
  if (isBroken) return 'broken-feed'
  if (day < memory.cooldownUntilDay) return 'cooldown'
  if (memory.labels < settings.minLabels || memory.churned < settings.minChurned) {
    return 'too-few-labels'
  }
  return undefined
}

export const dateOf = (day: number): string => {
  const [date = ''] = new Date(day * 86_400_000).toISOString().split('T')
  return date
}
