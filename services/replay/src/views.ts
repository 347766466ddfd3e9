// How does a vector of a replay look to a model? As one of the stream does.
import type { Vector } from '@churnstream/features'
import { DecodeProblem, Encoder, schemaText, typeOf } from '@churnstream/schemas'
import { VectorDecoder, type VectorView } from '@churnstream/schemas/model'
import { Poison, type Step } from './core/step.ts'

/** No registry knows it: the bytes never leave this process. */
const schemaId = 0

/**
 * Through the bytes of feature-vectors, so that there is one way from features to the columns of a
 * model, and a category or a null that it turns into something else turns into the same here.
 */
export class Views {
  readonly #encoder = new Encoder('feature-vector', schemaId)
  readonly #decoder = new VectorDecoder()
  readonly #causeTopic: string
  readonly #causePartition: number

  constructor(causeTopic: string, causePartition: number) {
    this.#causeTopic = causeTopic
    this.#causePartition = causePartition
    this.#decoder.learn(schemaId, typeOf(schemaText('feature-vector')))
  }

  of({ playerId, asOf, trigger, features }: Vector, { offset, input }: Step): VectorView {
    if (input instanceof Poison) throw new Error('poison gave rise to a vector: a bug')
    const bytes = this.#encoder.encode({
      playerId,
      asOf,
      trigger,
      causeEventId: input.eventId,
      causeTopic: this.#causeTopic,
      causePartition: this.#causePartition,
      causeOffset: offset,
      ...features,
    })
    const view = this.#decoder.decode(bytes)
    if (view instanceof DecodeProblem) throw new Error(`a vector does not decode: ${view.detail}`)
    return view
  }
}
