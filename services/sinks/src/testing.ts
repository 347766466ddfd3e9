// What do tests of what becomes of scores have in common? Scores with fixed times.
import type { Received } from '@churnstream/runtime'
import type { ChurnScore } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'

export const asOfMs = Date.UTC(2026, 10, 1, 12, 30, 0, 123)

/** The n-th score of a partition, which is of player n % 10. */
export function received(n: number, change: Partial<ChurnScore> = {}): Received<ChurnScore> {
  const value: ChurnScore = {
    playerId: `p-${n % 10}`,
    market: 'us-nj',
    asOf: asOfMs + n * 1_000,
    score: 0.25,
    band: 'watch',
    modelName: 'churn-default',
    modelVersion: '3',
    modelEpoch: 5,
    trigger: 'activity',
    causeEventId: `e-${n}`,
    causeTopic: topics.playerActivity.name,
    causePartition: 2,
    causeOffset: 1_000 + n,
    vectorPartition: 2,
    vectorOffset: 2_000 + n,
    ...change,
  }
  return { offset: BigInt(3_000 + n), timestampMs: asOfMs, key: Buffer.from(value.playerId), value }
}
