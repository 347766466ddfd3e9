// Does the monitor find each planted drift in time, and nothing where there is nothing?
import type { Assessed } from '@churnstream/monitor'
import type { PlantKind } from '@churnstream/simulator'
import { windowNumber } from './play.ts'
import { liveFrom, plantedFrom } from './world.ts'

const weekMs = 7 * 86_400_000
const firstPlanted = (plantedFrom - liveFrom) / weekMs

type Kind = 'quality' | 'drift' | 'estimate' | 'performance'

interface Expected {
  readonly plant: PlantKind | 'none'
  /** What must be confirmed, for which subject, by the so-manieth window that holds the plant. */
  readonly must: readonly {
    readonly kind: Kind
    readonly subject: string
    readonly within: number
  }[]
  readonly mustNot: readonly Kind[]
  /** So many windows nothing of `mustNot` may fire; to the end unless told. */
  readonly quietWindows?: number
  /** Why a new version must be asked for; null: it must not. */
  readonly request: string | null
}

export const expectations: readonly Expected[] = [
  {
    plant: 'none',
    must: [],
    mustNot: ['quality', 'drift', 'estimate', 'performance'],
    request: null,
  },
  {
    plant: 'season-end',
    must: [{ kind: 'drift', subject: 'bets_30d', within: 6 }],
    mustNot: ['quality', 'performance'],
    request: null,
  },
  {
    plant: 'new-channel',
    must: [{ kind: 'drift', subject: 'acquisition_source', within: 3 }],
    mustNot: ['quality', 'estimate', 'performance'],
    request: null,
  },
  {
    plant: 'stake-inflation',
    must: [{ kind: 'drift', subject: 'average_stake_30d', within: 3 }],
    mustNot: ['quality', 'estimate', 'performance'],
    request: null,
  },
  {
    plant: 'concept-drift',
    must: [{ kind: 'performance', subject: 'auc', within: 3 }],
    mustNot: ['quality', 'drift', 'estimate'],
    // Two months on, other players are left: then the inputs move as well.
    quietWindows: 8,
    request: 'performance-fell',
  },
  {
    plant: 'broken-feed',
    must: [{ kind: 'quality', subject: 'first_product', within: 1 }],
    mustNot: ['performance'],
    request: null,
  },
  {
    plant: 'slow-leak',
    must: [{ kind: 'drift', subject: 'sessions_30d', within: 7 }],
    mustNot: ['performance'],
    request: null,
  },
]

/** In a quiet world of 90 days one alarm may be false. */
const falseAlarmsAllowed = 1

export interface Row {
  readonly plant: string
  readonly fired: string
  readonly requests: string
  readonly held: string
  /** Empty when everything is as expected. */
  readonly problems: readonly string[]
}

/** The first confirmed alarm of each kind and subject: the number of its window. */
export function alarmsOf({ windows }: Assessed): Map<string, number> {
  const alarms = new Map<string, number>()
  const before = new Map<string, boolean[]>()
  for (const window of windows) {
    if (window.market !== '*' || window.segment !== '*') continue
    for (const { name, subject, state, threshold } of window.statistics) {
      if (threshold === null) continue
      const key = `${window.kind} ${subject === '' ? name : subject}`
      const series = `${key} ${name}`
      const seen = [...(before.get(series) ?? []), state === 'alarm'].slice(-3)
      before.set(series, seen)
      const isConfirmed = window.kind === 'quality' || seen.filter(Boolean).length >= 2
      if (state !== 'alarm' || !isConfirmed || alarms.has(key)) continue
      alarms.set(key, windowNumber(window))
    }
  }
  return alarms
}

/** How many windows hold the plant up to this one. */
const since = (window: number): number => window - firstPlanted + 1

export function rowOf(expected: Expected, assessed: Assessed): Row {
  const { plant, must, mustNot, quietWindows = Infinity, request } = expected
  const alarms = alarmsOf(assessed)
  const problems: string[] = []
  for (const { kind, subject, within } of must) {
    const window = alarms.get(`${kind} ${subject}`)
    if (window === undefined) problems.push(`${kind} of ${subject} did not fire`)
    else if (since(window) > within) {
      problems.push(`${kind} of ${subject} fired after ${since(window)} windows, not ${within}`)
    } else if (since(window) < 1) problems.push(`${kind} of ${subject} fired before the plant`)
  }
  const wrong = [...alarms].flatMap(([alarm, window]) =>
    mustNot.some((kind) => alarm.startsWith(kind)) && since(window) <= quietWindows ? [alarm] : [],
  )
  if (wrong.length > (plant === 'none' ? falseAlarmsAllowed : 0)) {
    problems.push(`must not fire: ${wrong.join(', ')}`)
  }
  const reasons = [...new Set(assessed.requests.map(({ reason }) => reason))]
  if (request === null && reasons.length > 0)
    problems.push(`asked to retrain: ${reasons.join(', ')}`)
  if (request !== null && assessed.requests[0]?.reason !== request) {
    problems.push(`did not ask to retrain for ${request}`)
  }
  return {
    plant,
    fired: summary(alarms),
    requests: reasons.join(', '),
    held: [...new Set(assessed.held.map(({ reason, guard }) => `${reason} by ${guard}`))].join(
      ', ',
    ),
    problems,
  }
}

/** By kind: the first subjects and the window in which each was confirmed, counted from the plant. */
function summary(alarms: ReadonlyMap<string, number>): string {
  const byKind = new Map<string, string[]>()
  for (const [alarm, window] of [...alarms].sort(([, a], [, b]) => a - b)) {
    const [kind = '', subject = ''] = alarm.split(' ')
    const subjects = byKind.get(kind) ?? []
    byKind.set(kind, [...subjects, `${subject} ${since(window)}`])
  }
  const most = 3
  return [...byKind]
    .map(([kind, subjects]) => {
      const more = subjects.length > most ? ` +${subjects.length - most}` : ''
      return `${kind}: ${subjects.slice(0, most).join(', ')}${more}`
    })
    .join('; ')
}
