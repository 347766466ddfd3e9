// Which activity events make sense, beyond having the right shape?
import { activityKinds, clockKind } from './records.ts'
import type { PlayerActivity } from './types.ts'

export interface ActivityProblem {
  readonly field: keyof PlayerActivity
  /** A slug, fit for a metric label. */
  readonly reason: string
  readonly message: string
}

type Amount = 'stake' | 'payout' | 'odds' | 'amount'

const required: Record<string, readonly Amount[]> = {
  bet_placed: ['stake', 'odds'],
  bet_settled: ['payout'],
  deposit: ['amount'],
  withdrawal: ['amount'],
}
const kinds: ReadonlySet<string> = new Set(activityKinds)
const amounts: readonly Amount[] = ['stake', 'payout', 'odds', 'amount']
const maxIdChars = 200
/** Above this, sums of hundredths over a window would leave the exact integers of a float64. */
const maxAmount = 1e9

/** What is wrong with an event, first problem first; undefined when it can be folded. */
export function activityProblem(event: PlayerActivity): ActivityProblem | undefined {
  const { kind, eventId, playerId, occurredAt, market } = event
  if (!Number.isSafeInteger(occurredAt) || occurredAt <= 0) {
    return problem('occurredAt', 'bad-event-time', 'must be milliseconds since the epoch')
  }
  if (kind === clockKind) return undefined
  if (!kinds.has(kind)) {
    return problem('kind', 'unknown-kind', `must be one of ${activityKinds.join(', ')}`)
  }
  if (!isId(eventId)) return problem('eventId', 'bad-event-id', idRule)
  if (!isId(playerId)) return problem('playerId', 'bad-player-id', idRule)
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(market)) {
    return problem('market', 'bad-market', 'must be lower-case letters, digits and hyphens')
  }
  for (const field of amounts) {
    const value = event[field]
    if (value === null) {
      if (required[kind]?.includes(field)) {
        return problem(field, `missing-${field}`, `is required on ${kind}`)
      }
      continue
    }
    if (!Number.isFinite(value)) return problem(field, `${field}-not-finite`, 'must be finite')
    if (value < 0) return problem(field, `${field}-negative`, 'must not be negative')
    if (value > maxAmount)
      return problem(field, `${field}-too-large`, `must be at most ${maxAmount}`)
    if (field === 'odds' && value < 1) {
      return problem(field, 'odds-below-one', 'must be decimal odds, at least 1')
    }
  }
  return undefined
}

export const idRule = `must be 1 to ${maxIdChars} characters without control characters`

// A NUL or another control character would be refused later by the database, and stop its batch.
export function isId(text: string): boolean {
  return text.length > 0 && text.length <= maxIdChars && !/[\u0000-\u001f\u007f]/.test(text)
}

function problem(field: keyof PlayerActivity, reason: string, message: string): ActivityProblem {
  return { field, reason, message }
}
