// Which records does the monitor count, and how is one told from another?
import {
  DecodeProblem,
  Decoder,
  type ChurnScore,
  type PlayerOutcome,
  type PrivacyConfirmation,
  type RecordDecoder,
} from '@churnstream/schemas'
import type { ConsumedRecord, Input } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { hashOfBytes } from './core/hash.ts'

export type Counted =
  | { readonly kind: 'score'; readonly score: ChurnScore }
  | { readonly kind: 'shadow'; readonly score: ChurnScore }
  | { readonly kind: 'outcome'; readonly outcome: PlayerOutcome }
  | { readonly kind: 'confirmation'; readonly confirmation: PrivacyConfirmation }

/**
 * The topics of a lane, the first of which names it. Of each player all records are counted, or none:
 * so many of the players are watched as `share` says.
 */
export function countedInputs(share: number): readonly [Input<Counted>, ...Input<Counted>[]] {
  const watched = {
    wants: ({ key }: ConsumedRecord, partition: number) => isWatched(key, partition, share),
    partitions: watchedPartitions(share),
  }
  return [
    {
      topic: topics.churnScores,
      decoder: tagged(new Decoder('churn-score'), (score) => ({ kind: 'score', score })),
      ...watched,
    },
    {
      topic: topics.shadowScores,
      decoder: tagged(new Decoder('churn-score'), (score) => ({ kind: 'shadow', score })),
      ...watched,
    },
    {
      topic: topics.playerOutcomes,
      decoder: tagged(new Decoder('player-outcome'), (outcome) => ({ kind: 'outcome', outcome })),
      ...watched,
    },
    {
      // Of all players: who asks waits for an answer.
      topic: topics.privacyConfirmations,
      decoder: tagged(new Decoder('privacy-confirmation'), (confirmation) => ({
        kind: 'confirmation',
        confirmation,
      })),
    },
  ]
}

/** Partitions are even samples of the players, and one that is not read costs nothing. */
export const watchedPartitions = (share: number): number =>
  Math.ceil(share * topics.churnScores.partitions)

/**
 * Whole partitions, and of the last one so many players as are left of the share: more of them never
 * drop one. A record without a player has its say in the dead letters.
 */
export function isWatched(key: Buffer | null, partition: number, share: number): boolean {
  const ofPartition = share * topics.churnScores.partitions - partition
  return key === null || ofPartition >= 1 || hashOfBytes(key) < ofPartition * 2 ** 32
}

function tagged<V>(decoder: RecordDecoder<V>, wrap: (value: V) => Counted): RecordDecoder<Counted> {
  return {
    knows: (schemaId) => decoder.knows(schemaId),
    learn: (schemaId, writer) => decoder.learn(schemaId, writer),
    forget: (schemaId) => decoder.forget(schemaId),
    decode(value) {
      const decoded = decoder.decode(value)
      return decoded instanceof DecodeProblem ? decoded : wrap(decoded)
    },
  }
}
