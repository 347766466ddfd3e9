// What do the counts of all partitions say together, and what follows from it?
import type {
  InputCounts,
  MonitoringPartial,
  MonitoringWindow,
  RetrainingRequest,
} from '@churnstream/schemas'
import { BinCounts, widthsOf } from './bins.ts'
import { cohortDueOn, dayMs, inputsDueOn } from './days.ts'
import { estimateOf } from './estimate-of.ts'
import { judgeDrift, judgeQuality, type InputSettings, type Statistic } from './inputs.ts'
import {
  inSegment,
  measure,
  segments,
  type Cohorts,
  type Figure,
  type PerformanceSettings,
} from './performance-of.ts'
import {
  guardOf,
  isConfirmed,
  newModel,
  proposalByTime,
  proposalOf,
  withAlarm,
  withVersion,
  type Found,
  type Guard,
  type ModelMemory,
  type PolicySettings,
  type Proposal,
  type Reason,
} from './policy.ts'
import type { Profile } from './profile.ts'

export interface AssessorSettings {
  readonly inputs: InputSettings
  readonly performance: PerformanceSettings
  readonly policy: PolicySettings
  /** Days of a drift or performance window. Weeks: a Sunday is no Tuesday. */
  readonly windowDays: number
  /** Of the player topics. */
  readonly partitions: number
  /** A partition so many days behind the first one is not waited for: it may have no players. */
  readonly patienceDays: number
  /** Registered models are named <prefix><market>. */
  readonly namePrefix: string
}

/** Why nothing was asked for although there was a reason. */
export interface Held {
  readonly modelName: string
  readonly reason: Reason
  readonly guard: Guard
}

export interface Assessed {
  readonly windows: MonitoringWindow[]
  readonly requests: RetrainingRequest[]
  readonly held: Held[]
}

/** What outlives a restart beside the partials that wait, as plain JSON. */
export interface Memory {
  /** Day that each partition's clock has reached. */
  readonly clocks: Readonly<Record<string, number>>
  readonly judgedDay: number
  readonly models: Readonly<Record<string, ModelMemory>>
}

export const noMemory: Memory = { clocks: {}, judgedDay: -1, models: {} }

/** Of a version's folder; null for one without a profile. Loaded before a window asks for it. */
export type ProfileOf = (artifactLocation: string, sha256: string) => Profile | null

const everything = '*'
/** How long a day with a broken feed can still belong to a window that is judged. */
const brokenDaysKept = 60

/**
 * Adds up partials day by day and judges each window once, in the order of days and names: only the
 * partials and their order decide, and as a window waits for every partition not even that order.
 */
export class Assessor {
  readonly #settings: AssessorSettings
  readonly #profileOf: ProfileOf
  readonly #waiting = new Map<number, MonitoringPartial>()
  readonly #done: number[] = []
  #memory: Memory = noMemory

  constructor(settings: AssessorSettings, profileOf: ProfileOf) {
    this.#settings = settings
    this.#profileOf = profileOf
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get memory(): Memory {
    return this.#memory
  }

  load(offset: number, partial: MonitoringPartial): void {
    this.#waiting.set(offset, partial)
  }

  loadMemory(memory: Memory): void {
    this.#memory = memory
  }

  /** @param offset where the partial stands: its name until its window is judged */
  onPartial(offset: number, partial: MonitoringPartial): 'taken' | 'late-partial' {
    const { partition, day, inputs, isClock } = partial
    if (isClock) {
      const clocks = { ...this.#memory.clocks, [partition]: day }
      this.#memory = { ...this.#memory, clocks }
      return 'taken'
    }
    const dueOn = inputs === null ? cohortDueOn(day) : inputsDueOn(day)
    if (dueOn <= this.#memory.judgedDay) return 'late-partial'
    this.#waiting.set(offset, partial)
    return 'taken'
  }

  /** Judges what is complete. */
  takeDue(): Assessed {
    const assessed: Assessed = { windows: [], requests: [], held: [] }
    const reached = this.#reachedDay()
    if (reached <= this.#memory.judgedDay) return assessed
    const due = new Set<number>()
    for (const { day, inputs } of this.#waiting.values()) {
      due.add(inputs === null ? this.#windowDueOn(day, cohortDueOn) : inputsDueOn(day))
      if (inputs !== null) due.add(this.#windowDueOn(day, inputsDueOn))
    }
    for (const day of [...due].sort((a, b) => a - b)) {
      if (day > reached) break
      if (day > this.#memory.judgedDay) this.#judge(day, assessed)
    }
    this.#memory = { ...this.#memory, judgedDay: reached }
    return assessed
  }

  /** Offsets of partials that are needed no more. */
  takeDone(): number[] {
    return this.#done.splice(0)
  }

  #reachedDay(): number {
    const { partitions, patienceDays } = this.#settings
    const clocks = Array.from(
      { length: partitions },
      (_, partition) => this.#memory.clocks[partition] ?? -1,
    )
    return Math.max(Math.min(...clocks), Math.max(...clocks) - patienceDays)
  }

  /** Last day of the window that a day belongs to. */
  #windowEnd(day: number): number {
    const { windowDays } = this.#settings
    return (Math.floor(day / windowDays) + 1) * windowDays - 1
  }

  #windowDueOn(day: number, dueOn: (day: number) => number): number {
    return dueOn(this.#windowEnd(day))
  }

  #judge(day: number, assessed: Assessed): void {
    const inputsDay = day - inputsDueOn(0)
    const cohortDay = day - cohortDueOn(0)
    const touched = new Set<string>()
    for (const version of this.#versions(
      ({ inputs, day }) => day === inputsDay && inputs !== null,
    )) {
      this.#judgeQuality(version, inputsDay, assessed)
      touched.add(version.modelName)
    }
    this.#judgeWindow(inputsDay, 'inputs', (version, fromDay) =>
      this.#judgeInputs(version, fromDay, inputsDay, day, assessed),
    )
    this.#judgeWindow(cohortDay, 'cohort', (version, fromDay) =>
      this.#judgePerformance(version, fromDay, cohortDay, day, assessed),
    )
    for (const modelName of [...touched].sort()) {
      const proposal = proposalByTime(this.#model(modelName), day, this.#settings.policy)
      if (proposal) this.#propose(modelName, proposal, undefined, day, assessed)
    }
  }

  /** When a window ends on this day: each version with such parts in it, which then are done with. */
  #judgeWindow(
    toDay: number,
    kind: 'inputs' | 'cohort',
    judge: (version: Version, fromDay: number) => void,
  ): void {
    if (this.#windowEnd(toDay) !== toDay) return
    const fromDay = toDay - this.#settings.windowDays + 1
    const isOf = (partial: MonitoringPartial): boolean =>
      partial[kind] !== null && partial.day >= fromDay && partial.day <= toDay
    for (const version of this.#versions(isOf)) judge(version, fromDay)
    this.#forget(isOf)
  }

  #judgeQuality(version: Version, day: number, assessed: Assessed): void {
    const { modelName, modelVersion } = version
    const counted = this.#counted(version, day, day)
    this.#serves(modelName, day)
    for (const [market, { counts, profile }] of counted) {
      const { inputs: settings } = this.#settings
      const judged = profile && judgeQuality(profile, counts, settings)
      const statistics = (judged?.statistics ?? []).map(withoutInterval)
      const isAlarm = judged?.state === 'alarm'
      assessed.windows.push({
        ...windowOf(version, market, 'quality', day, day, counts.rows),
        state: judged?.state ?? 'no-profile',
        isConfirmed: isAlarm,
        statistics,
      })
      if (!isAlarm || market !== everything) continue
      if (this.#model(modelName).modelVersion !== modelVersion) continue
      this.#remember(modelName, (memory) => ({
        ...memory,
        brokenDays: [...memory.brokenDays.filter((old) => old > day - brokenDaysKept), day],
      }))
    }
  }

  #judgeInputs(
    version: Version,
    fromDay: number,
    toDay: number,
    day: number,
    assessed: Assessed,
  ): void {
    const { inputs: settings, performance } = this.#settings
    for (const [market, { counts, profile, days }] of this.#counted(version, fromDay, toDay)) {
      const window = (kind: 'drift' | 'estimate') =>
        windowOf(version, market, kind, fromDay, toDay, counts.rows)
      if (profile === null) {
        const state = 'no-profile'
        assessed.windows.push({ ...window('drift'), state, isConfirmed: false, statistics: [] })
        continue
      }
      const drift = judgeDrift(profile, counts, days, settings)
      const estimate = estimateOf(profile, counts, settings.minRows, performance)
      for (const [kind, judged] of [
        ['drift', drift],
        ['estimate', estimate],
      ] as const) {
        const figures = judged.statistics.map(withoutInterval)
        const found: Found = { kind, fromDay, toDay, figures }
        const confirmed = this.#conclude(version, market, found, profile.features, day, assessed)
        assessed.windows.push({
          ...window(kind),
          state: judged.state,
          isConfirmed: confirmed,
          statistics: figures,
        })
      }
    }
  }

  #judgePerformance(
    version: Version,
    fromDay: number,
    toDay: number,
    day: number,
    assessed: Assessed,
  ): void {
    const { performance: settings } = this.#settings
    for (const [market, { cohorts, profile }] of this.#cohorts(version, fromDay, toDay)) {
      for (const [segment, belongs] of segments) {
        const isWhole = segment === everything
        // A cell for each market and band would be too small to say anything.
        if (!isWhole && market !== everything) continue
        const rows = isWhole ? cohorts : inSegment(cohorts, belongs)
        const reference = isWhole && market === everything ? profile : null
        const { state, labels, churned, figures } = measure(rows, reference, settings)
        let confirmed = false
        if (isWhole && market === everything && version.role === 'champion') {
          this.#remember(version.modelName, (memory) => ({
            ...memory,
            labels: memory.labels + labels,
            churned: memory.churned + churned,
          }))
          const found: Found = { kind: 'performance', fromDay, toDay, figures }
          confirmed = this.#conclude(version, market, found, [], day, assessed)
        }
        assessed.windows.push({
          ...windowOf(version, market, 'performance', fromDay, toDay, labels),
          segment,
          state,
          isConfirmed: confirmed,
          statistics: [...figures],
        })
      }
    }
  }

  /** Notes the alarms of a window of the version that serves, and asks when they give reason. */
  #conclude(
    version: Version,
    market: string,
    found: Found,
    features: Profile['features'],
    day: number,
    assessed: Assessed,
  ): boolean {
    const { modelName, modelVersion } = version
    const isServing = this.#memory.models[modelName]?.modelVersion === modelVersion
    if (!isServing || market !== everything || found.figures.length === 0) return false
    const judged = found.figures.filter(({ threshold }) => threshold !== null)
    const subjects = judged.map(({ name, subject, state }) => ({
      key: subject === '' ? name : `${name} ${subject}`,
      alarm: state === 'alarm',
    }))
    this.#remember(modelName, (memory) =>
      subjects.reduce((all, { key, alarm }) => withAlarm(all, key, alarm), memory),
    )
    const memory = this.#model(modelName)
    const proposal = proposalOf(memory, found, features, this.#settings.policy)
    if (proposal) this.#propose(modelName, proposal, found, day, assessed)
    return subjects.some(({ key, alarm }) => alarm && isConfirmed(memory.alarms[key] ?? []))
  }

  #propose(
    modelName: string,
    { reason, evidence }: Proposal,
    spokenOf: Found | undefined,
    day: number,
    assessed: Assessed,
  ): void {
    const { policy, namePrefix } = this.#settings
    const memory = this.#model(modelName)
    const guard = guardOf(memory, day, spokenOf, policy)
    if (guard !== undefined) {
      assessed.held.push({ modelName, reason, guard })
      return
    }
    const cooldownUntilDay = day + policy.cooldownDays
    assessed.requests.push({
      modelName,
      market: modelName.slice(namePrefix.length),
      reason,
      evidence: JSON.stringify({ modelVersion: memory.modelVersion, ...evidence }),
      requestedAt: day * dayMs,
      cooldownUntil: cooldownUntilDay * dayMs,
      requestedBy: reason === 'calendar' ? 'schedule' : 'monitor',
    })
    this.#remember(modelName, (memory) => ({
      ...memory,
      cooldownUntilDay,
      requestedOn: day,
      labelsAtRequest: memory.labels,
    }))
  }

  #model(modelName: string): ModelMemory {
    return this.#memory.models[modelName] as ModelMemory
  }

  #remember(modelName: string, change: (memory: ModelMemory) => ModelMemory): void {
    const known = this.#memory.models[modelName]
    if (known === undefined) return
    const models = { ...this.#memory.models, [modelName]: change(known) }
    this.#memory = { ...this.#memory, models }
  }

  /** The version with most rows of the day serves; on a tie the later name. */
  #serves(modelName: string, day: number): void {
    const rows = new Map<string, number>()
    for (const partial of this.#waiting.values()) {
      const { inputs } = partial
      if (inputs === null || partial.day !== day || inputs.modelName !== modelName) continue
      rows.set(inputs.modelVersion, (rows.get(inputs.modelVersion) ?? 0) + inputs.rows)
    }
    const [serving] = [...rows].sort(([a, n], [b, m]) => m - n || (a < b ? 1 : -1))
    if (serving === undefined) return
    const [modelVersion] = serving
    const known = this.#memory.models[modelName] ?? newModel(modelVersion, day)
    const models = { ...this.#memory.models, [modelName]: withVersion(known, modelVersion, day) }
    this.#memory = { ...this.#memory, models }
  }

  #versions(isOf: (partial: MonitoringPartial) => boolean): Version[] {
    const versions = new Map<string, Version>()
    for (const partial of this.#waiting.values()) {
      const part = partial.inputs ?? partial.cohort
      if (part === null || !isOf(partial)) continue
      const { modelName, modelVersion } = part
      const role = partial.cohort?.role ?? 'champion'
      versions.set([modelName, modelVersion, role].join(' '), { modelName, modelVersion, role })
    }
    return [...versions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, version]) => version)
  }

  /** Counts by market, and of all markets together where there is more than one. */
  #counted(version: Version, fromDay: number, toDay: number): [string, Counted][] {
    const byMarket = new Map<string, Counted>()
    for (const { day, inputs } of this.#ordered()) {
      if (inputs === null || day < fromDay || day > toDay || !isOfVersion(inputs, version)) continue
      for (const market of [everything, inputs.market]) {
        const known = byMarket.get(market) ?? this.#empty(inputs)
        byMarket.set(market, known)
        known.counts.merge(BinCounts.of(inputs.rows, inputs.features, inputs.score))
        known.dayList.add(day)
      }
    }
    return marketsOf(byMarket).map(([market, { counts, profile, dayList }]) => [
      market,
      { counts, profile, dayList, days: dayList.size },
    ])
  }

  #empty({ artifactLocation, profileSha256 }: InputCounts): Counted {
    const profile =
      artifactLocation === '' ? null : this.#profileOf(artifactLocation, profileSha256)
    const counts = BinCounts.empty(profile === null ? [] : widthsOf(profile))
    return { counts, profile, dayList: new Set(), days: 0 }
  }

  #cohorts(
    version: Version,
    fromDay: number,
    toDay: number,
  ): [string, { cohorts: Cohorts; profile: Profile | null }][] {
    interface Rows {
      scores: number[]
      marks: number[]
      championScores: number[]
      profile: Profile | null
    }
    const byMarket = new Map<string, Rows>()
    for (const { day, cohort } of this.#ordered()) {
      if (cohort === null || day < fromDay || day > toDay) continue
      if (!isOfVersion(cohort, version) || cohort.role !== version.role) continue
      const { artifactLocation, profileSha256 } = cohort
      for (const market of [everything, cohort.market]) {
        let rows = byMarket.get(market)
        if (rows === undefined) {
          const profile =
            artifactLocation === '' ? null : this.#profileOf(artifactLocation, profileSha256)
          byMarket.set(market, (rows = { scores: [], marks: [], championScores: [], profile }))
        }
        for (const score of cohort.scores) rows.scores.push(score)
        for (const mark of cohort.marks) rows.marks.push(mark)
        for (const score of cohort.championScores) rows.championScores.push(score)
      }
    }
    return marketsOf(byMarket).map(([market, { profile, ...cohorts }]) => [
      market,
      { cohorts, profile },
    ])
  }

  /** By day, then partition, whatever the order of arrival: sums of floats depend on it. */
  #ordered(): MonitoringPartial[] {
    return [...this.#waiting]
      .sort(([at, a], [bt, b]) => a.day - b.day || a.partition - b.partition || at - bt)
      .map(([, partial]) => partial)
  }

  #forget(isOf: (partial: MonitoringPartial) => boolean): void {
    for (const [offset, partial] of this.#waiting) {
      if (!isOf(partial)) continue
      this.#waiting.delete(offset)
      this.#done.push(offset)
    }
  }
}

interface Version {
  readonly modelName: string
  readonly modelVersion: string
  readonly role: string
}

interface Counted {
  readonly counts: BinCounts
  readonly profile: Profile | null
  readonly dayList: Set<number>
  readonly days: number
}

const isOfVersion = (
  of: Pick<Version, 'modelName' | 'modelVersion'>,
  { modelName, modelVersion }: Version,
): boolean => of.modelName === modelName && of.modelVersion === modelVersion

/** With one market there is nothing that all of them together would add. */
function marketsOf<T>(byMarket: ReadonlyMap<string, T>): [string, T][] {
  const all = [...byMarket].sort(([a], [b]) => (a < b ? -1 : 1))
  return all.length <= 2 ? all.slice(0, 1) : all
}

const windowOf = (
  { modelName, modelVersion, role }: Version,
  market: string,
  kind: string,
  fromDay: number,
  toDay: number,
  rows: number,
) => ({
  modelName,
  modelVersion,
  role,
  market,
  segment: everything,
  kind,
  fromDay,
  toDay,
  rows,
})

const withoutInterval = (statistic: Statistic): Figure => ({ low: null, high: null, ...statistic })
