// Which row stands for a player's day, and what became of the player?
import type {
  ErasedPlayer,
  MonitorClock,
  MonitoringPartial,
  MonitorState,
  PlayerDay,
  ProfileReference,
  ServedDay,
  ShadowDay,
} from '@churnstream/schemas'
import { BinCounts } from './bins.ts'
import { hashOf } from './hash.ts'
import { cohortDueOn, dayOf, inputsDueOn, tenureBandOf } from './days.ts'
import type { Profile } from './profile.ts'
import { widthsOf } from './bins.ts'

/** What a score says, of a champion or of a challenger. */
export interface Score {
  readonly playerId: string
  readonly market: string
  readonly asOf: number
  readonly score: number
  readonly modelName: string
  readonly modelVersion: string
  readonly causeTopic: string
  readonly causePartition: number
  readonly causeOffset: number
}

/** Whose it is, and the offset in player-activity that it follows from. */
export type Caused = Pick<Score, 'playerId' | 'causeOffset'>

/** What the scored vector says beside. */
export interface Facts {
  readonly daysSinceLastBet: number | null
  readonly tenureDays: number | null
  /** Empty where the version has no profile. */
  readonly bins: Buffer
}

export interface Label {
  readonly playerId: string
  readonly asOfDay: number
  readonly churned: boolean
  readonly knownAt: number
}

/** A version's profile, and where it was read; null when the version came without one. */
export interface Known {
  readonly reference: ProfileReference
  readonly profile: Profile | null
}

export type Taken = 'counted' | 'not-chosen' | 'too-late'

const recentDays = 7
/** Keeps a record well below what a broker takes. */
const cohortRows = 20_000
const marksOf = { churned: 1, active: 2, bandShift: 2 } as const

/**
 * The player-days of one partition. Training draws one of a player's vectors of a day, evenly; so does
 * this, by the smallest hash of the cause, whatever the order of arrival.
 *
 * Scores, shadow scores and outcomes come in no order towards each other. Whether a record is too
 * late is decided by the clock of its own topic, and a day is told when the clocks of scores and
 * outcomes have both passed it: so the same topics give the same parts however they were interleaved.
 */
export class PlayerDays {
  readonly #partition: number
  readonly #measured: (playerId: string) => boolean
  readonly #days = new Map<number, Map<string, PlayerDay>>()
  readonly #profiles = new Map<string, Known>()
  readonly #changed = new Map<string, MonitorState | null>()
  readonly #texts = new Map<string, string>()
  /** Of whom records of a former life may still come. */
  readonly #erased = new Map<string, ErasedPlayer>()
  #clock: MonitorClock = { scoresDay: -1, shadowsDay: -1, outcomesDay: -1, toldDay: -1 }
  #size = 0

  /** @param measured whose labels say how good scores are; everybody's unless told */
  constructor(partition: number, measured: (playerId: string) => boolean = () => true) {
    this.#partition = partition
    this.#measured = measured
  }

  /** Player-days that are kept. */
  get size(): number {
    return this.#size
  }

  profileOf(modelName: string, modelVersion: string): Known | undefined {
    return this.#profiles.get(versionKey(modelName, modelVersion))
  }

  /** From now on the version's rows are counted against this profile, after a restart too. */
  keepProfile(known: Known): void {
    const { modelName, modelVersion } = known.reference
    const key = versionKey(modelName, modelVersion)
    this.#profiles.set(key, known)
    this.#changed.set(key, { ...nothing, profile: known.reference })
  }

  /** Whether a score would stand for its day: only then is its vector needed. */
  wouldChoose(score: Score): boolean {
    const day = dayOf(score.asOf)
    if (this.#isLate(day, this.#clock.scoresDay)) return false
    const served = this.#days.get(day)?.get(score.playerId)?.served
    return served == null || chanceOf(score) < served.chance
  }

  onScore(score: Score, facts: Facts): Taken {
    const day = dayOf(score.asOf)
    if (this.#isLate(day, this.#clock.scoresDay)) return 'too-late'
    this.#pass({ scoresDay: Math.max(day, this.#clock.scoresDay) })
    const chance = chanceOf(score)
    const known = this.#of(score.playerId, day)
    if (known.served !== null && known.served.chance <= chance) return 'not-chosen'
    const { daysSinceLastBet, tenureDays, bins } = facts
    const served: ServedDay = {
      ...this.#named(score),
      chance,
      score: score.score,
      isAtRisk: !(daysSinceLastBet !== null && daysSinceLastBet >= 28),
      isActive: daysSinceLastBet !== null && daysSinceLastBet < recentDays,
      tenureBand: tenureBandOf(tenureDays ?? 0),
      bins,
    }
    this.#put({ ...known, served })
    return 'counted'
  }

  /** Takes note of a score that does not stand for its day, or whose vector is gone. */
  pass({ asOf }: Score): Taken {
    const day = dayOf(asOf)
    if (this.#isLate(day, this.#clock.scoresDay)) return 'too-late'
    this.#pass({ scoresDay: Math.max(day, this.#clock.scoresDay) })
    return 'not-chosen'
  }

  onShadow(score: Score): Taken {
    const day = dayOf(score.asOf)
    if (this.#isLate(day, this.#clock.shadowsDay) || this.#isTold(day)) return 'too-late'
    this.#pass({ shadowsDay: Math.max(day, this.#clock.shadowsDay) })
    const chance = chanceOf(score)
    const known = this.#of(score.playerId, day)
    if (known.shadow !== null && known.shadow.chance <= chance) return 'not-chosen'
    const shadow: ShadowDay = { ...this.#named(score), chance, score: score.score }
    this.#put({ ...known, shadow })
    return 'counted'
  }

  onOutcome({ playerId, asOfDay, churned, knownAt }: Label): Taken {
    if (cohortDueOn(asOfDay) <= this.#clock.outcomesDay) return 'too-late'
    this.#pass({ outcomesDay: Math.max(dayOf(knownAt), this.#clock.outcomesDay) })
    this.#put({ ...this.#of(playerId, asOfDay), churned })
    return 'counted'
  }

  /**
   * Drops what is known of a player, and from now on leaves out what was caused below the offset.
   * @returns days dropped
   */
  erase(playerId: string, untilOffset: number): number {
    let dropped = 0
    for (const [day, entries] of this.#days) {
      if (!entries.delete(playerId)) continue
      this.#changed.set(dayKey(playerId, day), null)
      dropped++
    }
    this.#size -= dropped
    const { scoresDay, shadowsDay, outcomesDay } = this.#clock
    const newestDay = Math.max(scoresDay, shadowsDay, outcomesDay)
    const untilDay = newestDay < 0 ? unknownDay : cohortDueOn(newestDay)
    const until = Math.max(untilOffset, this.#erased.get(playerId)?.untilOffset ?? 0)
    const erased: ErasedPlayer = { playerId, untilOffset: until, untilDay }
    this.#erased.set(playerId, erased)
    this.#changed.set(erasedKey(playerId), { ...nothing, erased })
    return dropped
  }

  /** Whether a score or an outcome is of a life that was erased. */
  isErased({ playerId, causeOffset }: Caused): boolean {
    if (this.#erased.size === 0) return false
    return causeOffset < (this.#erased.get(playerId)?.untilOffset ?? 0)
  }

  /** What became due since the last call, in the order of days; ends with the clock if it went on. */
  takeDue(): MonitoringPartial[] {
    const { scoresDay, outcomesDay, toldDay } = this.#clock
    const reached = Math.min(scoresDay, outcomesDay)
    if (reached <= toldDay) return []
    const partials: MonitoringPartial[] = []
    for (const day of [...this.#days.keys()].sort((a, b) => a - b)) {
      const areInputsDue = inputsDueOn(day) > toldDay && inputsDueOn(day) <= reached
      const isCohortDue = cohortDueOn(day) <= reached
      if (!areInputsDue && !isCohortDue) continue
      const entries = this.#days.get(day) as Map<string, PlayerDay>
      const rows = [...entries.values()].sort((a, b) => (a.playerId < b.playerId ? -1 : 1))
      if (areInputsDue) {
        partials.push(...this.#inputsOf(day, rows))
        for (const row of rows) if (row.served !== null) row.served.bins = noBins
      }
      if (isCohortDue) {
        partials.push(...this.#cohortsOf(day, rows))
        for (const { playerId } of rows) this.#changed.set(dayKey(playerId, day), null)
        this.#size -= rows.length
        this.#days.delete(day)
      }
    }
    for (const erased of this.#erased.values()) {
      const { playerId, untilDay } = erased
      if (untilDay === unknownDay) {
        // Asked for before anything was read: from here on it can be told.
        const known = { ...erased, untilDay: cohortDueOn(reached) }
        this.#erased.set(playerId, known)
        this.#changed.set(erasedKey(playerId), { ...nothing, erased: known })
      } else if (untilDay <= reached) {
        this.#erased.delete(playerId)
        this.#changed.set(erasedKey(playerId), null)
      }
    }
    this.#pass({ toldDay: reached })
    return [...partials, { ...this.#part(reached), isClock: true }]
  }

  /** Changes since the last call by their key; null: gone. */
  takeChanges(): [string, MonitorState | null][] {
    const changes = [...this.#changed]
    this.#changed.clear()
    return changes
  }

  /** Takes over what a changelog record says of a key. Profiles are handed in by keepProfile. */
  load(key: string, state: MonitorState | null): void {
    if (state === null) {
      if (key.startsWith(erasedPrefix)) {
        this.#erased.delete(key.slice(erasedPrefix.length))
        return
      }
      const { playerId, day } = parseDayKey(key)
      if (this.#days.get(day)?.delete(playerId) === true) this.#size--
    } else if (state.clock !== null) this.#clock = state.clock
    else if (state.erased !== null) this.#erased.set(state.erased.playerId, state.erased)
    else if (state.playerDay !== null) {
      const { served, shadow } = state.playerDay
      // Each record brings texts of its own; there are few different ones.
      if (served !== null) Object.assign(served, this.#named(served))
      if (shadow !== null) Object.assign(shadow, this.#named(shadow))
      this.#keep(state.playerDay)
    }
  }

  /** Call when everything was loaded, before the first record. */
  loaded(): void {
    for (const [day, entries] of this.#days) {
      if (entries.size === 0) this.#days.delete(day)
      if (inputsDueOn(day) > this.#clock.toldDay) continue
      for (const { served } of entries.values()) if (served !== null) served.bins = noBins
    }
    this.#changed.clear()
  }

  #isLate(day: number, topicDay: number): boolean {
    return inputsDueOn(day) <= topicDay
  }

  #isTold(day: number): boolean {
    return cohortDueOn(day) <= this.#clock.toldDay
  }

  #named(of: Pick<ServedDay, 'modelName' | 'modelVersion' | 'market'>) {
    const { modelName, modelVersion, market } = of
    return {
      modelName: this.#text(modelName),
      modelVersion: this.#text(modelVersion),
      market: this.#text(market),
    }
  }

  #text(text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    this.#texts.set(text, text)
    return text
  }

  #of(playerId: string, asOfDay: number): PlayerDay {
    const known = this.#days.get(asOfDay)?.get(playerId)
    return known ?? { playerId, asOfDay, served: null, shadow: null, churned: null }
  }

  #put(entry: PlayerDay): void {
    this.#keep(entry)
    this.#changed.set(dayKey(entry.playerId, entry.asOfDay), { ...nothing, playerDay: entry })
  }

  #keep(entry: PlayerDay): void {
    let entries = this.#days.get(entry.asOfDay)
    if (entries === undefined) this.#days.set(entry.asOfDay, (entries = new Map()))
    if (!entries.has(entry.playerId)) this.#size++
    entries.set(entry.playerId, entry)
  }

  #pass(change: Partial<MonitorClock>): void {
    const clock = { ...this.#clock, ...change }
    const names = ['scoresDay', 'shadowsDay', 'outcomesDay', 'toldDay'] as const
    if (names.every((name) => clock[name] === this.#clock[name])) return
    this.#clock = clock
    this.#changed.set(clockKey, { ...nothing, clock })
  }

  #part(day: number): MonitoringPartial {
    return { partition: this.#partition, day, inputs: null, cohort: null, isClock: false }
  }

  #inputsOf(day: number, rows: readonly PlayerDay[]): MonitoringPartial[] {
    const served = rows.flatMap(({ served }) => (served?.isAtRisk ? [served] : []))
    return grouped(served, ({ modelName, modelVersion, market }) =>
      [modelName, modelVersion, market].join(' '),
    ).map((group) => {
      const { modelName, modelVersion, market } = group[0] as ServedDay
      const known = this.profileOf(modelName, modelVersion)
      const counts = BinCounts.empty(known?.profile ? widthsOf(known.profile) : [])
      for (const { bins, score } of group) counts.add(bins, score)
      const { rows, features, score } = counts
      const version = { modelName, modelVersion, market, ...locationOf(known) }
      return { ...this.#part(day), inputs: { ...version, rows, features, score } }
    })
  }

  #cohortsOf(day: number, rows: readonly PlayerDay[]): MonitoringPartial[] {
    const atRisk = rows.filter(
      ({ playerId, served }) => served?.isAtRisk && this.#measured(playerId),
    )
    const partials: MonitoringPartial[] = []
    for (const role of ['champion', 'challenger'] as const) {
      const scored = atRisk.flatMap((row) => {
        const served = row.served as ServedDay
        const of = role === 'champion' ? served : row.shadow
        return of === null ? [] : [{ of, served, churned: row.churned }]
      })
      const groups = grouped(scored, ({ of }) =>
        [of.modelName, of.modelVersion, of.market].join(' '),
      )
      for (const group of groups) {
        const { modelName, modelVersion, market } = (group[0] as (typeof scored)[number]).of
        const labelled = group.filter(({ churned }) => churned !== null)
        const location = locationOf(this.profileOf(modelName, modelVersion))
        let unlabelled = group.length - labelled.length
        for (let from = 0; from === 0 || from < labelled.length; from += cohortRows) {
          const part = labelled.slice(from, from + cohortRows)
          const championScores =
            role === 'champion'
              ? []
              : part.map(({ of, served }) => (of.chance === served.chance ? served.score : NaN))
          const cohort = {
            modelName,
            modelVersion,
            role,
            market,
            ...location,
            scores: part.map(({ of }) => of.score),
            marks: Buffer.from(part.map(markOf)),
            championScores,
            unlabelled,
          }
          partials.push({ ...this.#part(day), cohort })
          unlabelled = 0
        }
      }
    }
    return partials
  }
}

/** Reads a mark of a cohort. */
export const readMark = (mark: number) => ({
  churned: mark & marksOf.churned,
  isActive: (mark & marksOf.active) !== 0,
  tenureBand: mark >> marksOf.bandShift,
})

function markOf({ served, churned }: { served: ServedDay; churned: boolean | null }): number {
  return (
    (churned === true ? marksOf.churned : 0) |
    (served.isActive ? marksOf.active : 0) |
    (served.tenureBand << marksOf.bandShift)
  )
}

const noBins = Buffer.alloc(0)
const nothing: MonitorState = { playerDay: null, clock: null, profile: null, erased: null }
const clockKey = 'clock'
const versionKey = (modelName: string, modelVersion: string): string =>
  `version ${modelName} ${modelVersion}`
const unknownDay = -1
const erasedPrefix = 'erased '
const erasedKey = (playerId: string): string => erasedPrefix + playerId
const dayKey = (playerId: string, day: number): string => `${day} ${playerId}`

function parseDayKey(key: string): { playerId: string; day: number } {
  const space = key.indexOf(' ')
  return { playerId: key.slice(space + 1), day: Number(key.slice(0, space)) }
}

function locationOf(known: Known | undefined) {
  const hasProfile = known?.profile != null
  return {
    artifactLocation: hasProfile ? known.reference.artifactLocation : '',
    profileSha256: hasProfile ? known.reference.profileSha256 : '',
  }
}

/** In the order of the groups' names. */
function grouped<T>(all: readonly T[], nameOf: (one: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const name = nameOf(one)
    const group = groups.get(name)
    if (group) group.push(one)
    else groups.set(name, [one])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

/** Even over the places of the causes of a player's vectors. */
export const chanceOf = ({
  playerId,
  causeTopic,
  causePartition,
  causeOffset,
}: Pick<Score, 'playerId' | 'causeTopic' | 'causePartition' | 'causeOffset'>): number =>
  hashOf(`${playerId} ${causeTopic} ${causePartition} ${causeOffset}`)
