// What is the plainest event that changes a player?
import type { PlayerActivity } from '@churnstream/schemas'

export const depositOf = (
  playerId: string,
  eventId: string,
  occurredAt: number,
): PlayerActivity => ({
  eventId,
  kind: 'deposit',
  playerId,
  occurredAt,
  market: 'gb',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount: 20,
})
