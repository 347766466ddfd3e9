// Did a player churn, and from when on do we know?
import { pendingMax, real, whole, type Block } from './block.ts'

/** A player has churned as of a day when the this many UTC days after it hold no bet. */
export const horizonDays = 28
/** A label waits this much longer for bets that arrive late. */
export const labelLatenessDays = 2

export interface Label {
  readonly asOfDay: number
  readonly churned: boolean
}

/** Notes that a vector of this day was emitted, so that its label is owed. */
export function oweLabel({ wholes, wholeAt }: Block, day: number): void {
  if ((wholes[wholeAt + whole.lastLabelDay] as number) >= day) return
  const count = wholes[wholeAt + whole.pendingCount] as number
  // Full only where no clock record has come for a month: then the newest days stay unlabelled.
  if (count === pendingMax) return
  wholes[wholeAt + whole.lastLabelDay] = day
  wholes[wholeAt + whole.pending + count] = day
  wholes[wholeAt + whole.pendingCount] = count + 1
}

/** A bet on this day tells what became of every earlier day that waits. */
export function labelsFromBet(block: Block, betDay: number): Label[] {
  return take(
    block,
    (day) => day < betDay,
    (day) => betDay > day + horizonDays,
  )
}

/** The clock has reached this day: silence long enough is churn. */
export function labelsFromClock(block: Block, clockDay: number): Label[] {
  return take(
    block,
    (day) => clockDay > day + horizonDays + labelLatenessDays,
    () => true,
  )
}

/** The first day on which the clock makes a label known; undefined when none waits. */
export function nextLabelDay({ wholes, wholeAt }: Block): number | undefined {
  if (wholes[wholeAt + whole.pendingCount] === 0) return undefined
  return (wholes[wholeAt + whole.pending] as number) + horizonDays + labelLatenessDays + 1
}

function take(
  { wholes, wholeAt }: Block,
  isKnown: (day: number) => boolean,
  isChurned: (day: number) => boolean,
): Label[] {
  const labels: Label[] = []
  const at = wholeAt + whole.pending
  const count = wholes[wholeAt + whole.pendingCount] as number
  let kept = 0
  for (let i = 0; i < count; i++) {
    const day = wholes[at + i] as number
    if (isKnown(day)) labels.push({ asOfDay: day, churned: isChurned(day) })
    else wholes[at + kept++] = day
  }
  wholes[wholeAt + whole.pendingCount] = kept
  return labels
}

/** Silence is scored again at these ages. */
export const silenceDueDays = [1, 3, 7, 14, 21, 28] as const

/** When the player's silence is due to be scored; Infinity when all is said. */
export function nextSilenceAt({ reals, realAt, wholes, wholeAt }: Block): number {
  const days = silenceDueDays[wholes[wholeAt + whole.silenceStep] as number]
  if (days === undefined) return Infinity
  const lastBetAt = reals[realAt + real.lastBetAt] as number
  const since = Number.isNaN(lastBetAt) ? (reals[realAt + real.firstSeenAt] as number) : lastBetAt
  return since + days * 86_400_000
}

/** Moves past every due time that the clock has reached; false when none was due. */
export function passSilence(block: Block, clockAt: number): boolean {
  let passed = false
  while (nextSilenceAt(block) <= clockAt) {
    const step = block.wholeAt + whole.silenceStep
    block.wholes[step] = (block.wholes[step] as number) + 1
    passed = true
  }
  return passed
}
