// What does the monitor find when a drift is played to it, through features, model and its core?
import type { FeatureVector, MonitoringWindow, PlayerState } from '@churnstream/schemas'
import { PartitionState, type Outcome, type Vector } from '@churnstream/features'
import {
  Assessor,
  PlayerDays,
  binsOf,
  chanceOf,
  usualInputSettings,
  usualPerformanceSettings,
  usualPolicySettings,
  type Assessed,
  type AssessorSettings,
} from '@churnstream/monitor'
import { simulate, type Plant } from '@churnstream/simulator'
import type { Model } from './model.ts'
import { liveFrom, worldOf } from './world.ts'

const dayMs = 86_400_000

export const settings: AssessorSettings = {
  inputs: usualInputSettings,
  performance: usualPerformanceSettings,
  // By the calendar a request comes in a quiet world too; here only what was found may ask.
  policy: { ...usualPolicySettings, calendarDays: null },
  windowDays: 7,
  partitions: 1,
  patienceDays: 0,
  namePrefix: 'churn-',
}

/** The players at the end of the history: what happens before a plant is the same for all. */
export function playersBefore(): PlayerState[] {
  const state = new PartitionState()
  let offset = 0
  for (const step of simulate(worldOf())) {
    if (step.deliverAt >= liveFrom) break
    if ('event' in step) state.onActivity(step.event, offset++)
    else state.onClock(step.clockAt, offset++)
  }
  return state.takeChanges()
}

/** Every window that the live days complete, and what was asked for. */
export async function play(
  model: Model,
  players: readonly PlayerState[],
  plants: readonly Plant[],
): Promise<Assessed> {
  const state = new PartitionState()
  for (const player of players) state.load(player)
  const days = new PlayerDays(0)
  days.keepProfile({
    reference: { ...version, artifactLocation: 'here', profileSha256: '' },
    profile: model.profile,
  })
  const assessor = new Assessor(settings, () => model.profile)
  const assessed: Assessed = { windows: [], requests: [], held: [] }
  let waiting: { vector: Vector; causeOffset: number }[] = []
  let partials = 0
  let offset = 0
  let nextDayAt = liveFrom + dayMs
  for (const step of simulate(worldOf(plants))) {
    if (step.deliverAt < liveFrom) continue
    if (step.deliverAt >= nextDayAt) {
      nextDayAt += dayMs
      await endDay()
    }
    const result =
      'event' in step ? state.onActivity(step.event, offset) : state.onClock(step.clockAt, offset)
    const causeOffset = offset++
    if (typeof result === 'string') continue
    for (const vector of result.vectors) waiting.push({ vector, causeOffset })
    for (const outcome of result.outcomes) tell(outcome)
  }
  await endDay()
  return assessed

  function tell({ playerId, asOfDay, churned, knownAt }: Outcome): void {
    days.onOutcome({ playerId, asOfDay, churned, knownAt })
  }

  async function endDay(): Promise<void> {
    state.takeChanges()
    const chosen = chosenOf(waiting)
    waiting = []
    const scores = await model.score(chosen.map(toRecord))
    for (const [index, { vector, causeOffset }] of chosen.entries()) {
      const { playerId, asOf, features } = vector
      const score = {
        ...version,
        playerId,
        asOf,
        // One market: together they are as many as the gates ask for.
        market: 'all',
        score: scores[index] as number,
        ...causeOf(causeOffset),
      }
      days.onScore(score, {
        daysSinceLastBet: features.days_since_last_bet,
        tenureDays: features.tenure_days,
        bins: binsOf(model.profile, features),
      })
    }
    for (const partial of days.takeDue()) assessor.onPartial(partials++, partial)
    days.takeChanges()
    const { windows, requests, held } = assessor.takeDue()
    assessed.windows.push(...windows)
    assessed.requests.push(...requests)
    assessed.held.push(...held)
  }
}

const version = { modelName: 'churn-default', modelVersion: '1' }
const causeOf = (causeOffset: number) => ({ causeTopic: '', causePartition: 0, causeOffset })

/** The monitor would look at no other: the smallest chance of a player's day stands for it. */
function chosenOf(vectors: readonly { vector: Vector; causeOffset: number }[]) {
  const chosen = new Map<string, { vector: Vector; causeOffset: number; chance: number }>()
  for (const { vector, causeOffset } of vectors) {
    const { playerId, asOf } = vector
    const key = `${playerId} ${Math.floor(asOf / dayMs)}`
    const chance = chanceOf({ playerId, ...causeOf(causeOffset) })
    if (!((chosen.get(key)?.chance ?? Infinity) <= chance)) {
      chosen.set(key, { vector, causeOffset, chance })
    }
  }
  return [...chosen.values()]
}

function toRecord({ vector, causeOffset }: { vector: Vector; causeOffset: number }): FeatureVector {
  const { playerId, asOf, trigger, features } = vector
  return { playerId, asOf, trigger, causeEventId: '', ...causeOf(causeOffset), ...features }
}

/** Number of the window, counted from the first live one. */
export const windowNumber = ({ fromDay }: MonitoringWindow): number =>
  Math.floor((fromDay * dayMs - liveFrom) / (settings.windowDays * dayMs))
