// What does the changelog say of a player who was erased while activity of theirs is still to come?
import type { PlayerState } from '@churnstream/schemas'

/** Their name and an offset: nothing else is known any more. */
export const erasedState = (playerId: string, erasedBefore: number): PlayerState => ({
  playerId,
  appliedOffset: 0,
  market: '',
  acquisitionSource: null,
  firstProduct: null,
  firstSeenAt: 0,
  firstBetAt: null,
  lastBetAt: null,
  lastDepositAt: null,
  lastSessionAt: null,
  lastSettledAt: null,
  lastSeenAt: 0,
  losingStreak: 0,
  silenceStep: 0,
  lastLabelDay: -1,
  tiles: [],
  recentEventIds: [],
  pendingLabelDays: [],
  erasedBefore,
})
