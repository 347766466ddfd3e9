// What does the features service do with its topics?
import {
  untilUp,
  type Health,
  type Input,
  type Log,
  type Metrics,
  type Stage,
} from '@churnstream/runtime'
import {
  Decoder,
  type PlayerActivity,
  type PrivacyRequest,
  type Schemas,
} from '@churnstream/schemas'
import { services, topics } from '@churnstream/topology'
import { createFeatureMetrics } from './metrics.ts'
import { createEncoders, createFeatureProcessor } from './processor.ts'

type Value = PlayerActivity | PrivacyRequest

export interface FeaturesStage extends Stage<Value> {
  readonly alongside: readonly Input<Value>[]
}

export interface FeaturesOptions {
  readonly schemas: Schemas
  readonly metrics: Metrics
  readonly health: Health
  readonly log: Log
  readonly signal: AbortSignal
}

/** Once the registry knows the schemas; undefined: stopped before. */
export async function openFeatures(options: FeaturesOptions): Promise<FeaturesStage | undefined> {
  const { schemas } = options
  const registering = () => createEncoders(schemas)
  const encoders = await untilUp('registry', 'registering the schemas', registering, options)
  if (encoders === undefined) return undefined
  return {
    service: services.features,
    topic: topics.playerActivity,
    decoder: new Decoder('player-activity'),
    alongside: [{ topic: topics.privacyRequests, decoder: new Decoder('privacy-request') }],
    processor: createFeatureProcessor(encoders, schemas, {
      metrics: createFeatureMetrics(options.metrics),
    }),
  }
}
