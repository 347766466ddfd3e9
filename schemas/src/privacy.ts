// Which requests to erase a player can be acted on, beyond having the right shape?
import { idRule, isId } from './activity.ts'
import type { PrivacyRequest } from './types.ts'

export interface RequestProblem {
  /** A slug, fit for a metric label. */
  readonly reason: string
  readonly message: string
}

/** What is wrong with a request that stands under a key; undefined when it can be done. */
export function privacyRequestProblem(
  { requestId, playerId, untilOffset }: PrivacyRequest,
  key: string | undefined,
): RequestProblem | undefined {
  if (!isId(requestId)) return { reason: 'bad-request-id', message: `requestId ${idRule}` }
  if (!isId(playerId)) return { reason: 'bad-player-id', message: `playerId ${idRule}` }
  // The key decides which partition it is in, and so who reads it.
  if (key !== playerId) return { reason: 'key-is-not-the-player', message: 'the key must be it' }
  if (!Number.isSafeInteger(untilOffset) || untilOffset < 0) {
    return { reason: 'bad-offset', message: 'untilOffset must be an offset' }
  }
  return undefined
}
