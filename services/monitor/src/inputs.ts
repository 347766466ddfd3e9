// Which records does the monitor count, and how is one told from another?
import {
  DecodeProblem,
  Decoder,
  type ChurnScore,
  type PlayerOutcome,
  type RecordDecoder,
} from '@churnstream/schemas'
import type { Input } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'

export type Counted =
  | { readonly kind: 'score'; readonly score: ChurnScore }
  | { readonly kind: 'shadow'; readonly score: ChurnScore }
  | { readonly kind: 'outcome'; readonly outcome: PlayerOutcome }

/** The topics of a lane, the first of which names it. */
export function countedInputs(): readonly [Input<Counted>, ...Input<Counted>[]] {
  return [
    {
      topic: topics.churnScores,
      decoder: tagged(new Decoder('churn-score'), (score) => ({ kind: 'score', score })),
    },
    {
      topic: topics.shadowScores,
      decoder: tagged(new Decoder('churn-score'), (score) => ({ kind: 'shadow', score })),
    },
    {
      topic: topics.playerOutcomes,
      decoder: tagged(new Decoder('player-outcome'), (outcome) => ({ kind: 'outcome', outcome })),
    },
  ]
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
