// Which services exist, and what does each one read and write?
import { topics, type Topic } from './topics.ts'

export interface Service {
  readonly name: string
  readonly does: string
  /** Read as a consumer group named after the service, exactly once, with dead letters. */
  readonly consumes: readonly Topic[]
  /** Read whole by every replica, from the start: tables of the newest record of each key. */
  readonly follows: readonly Topic[]
  readonly produces: readonly Topic[]
  /** Compacted topics that hold the service's own state, restored at assignment. */
  readonly state: readonly Topic[]
  /** Port of its HTTP server on a machine that runs one of each. */
  readonly port: number
}

export const services = {
  ingestion: {
    name: 'ingestion',
    does: 'takes activity over HTTP, checks it, writes it with all replicas acknowledging',
    consumes: [],
    follows: [],
    produces: [topics.playerActivity],
    state: [],
    port: 8080,
  },
  features: {
    name: 'features',
    does: 'folds activity into players, emits a vector for each event and each due silence',
    consumes: [topics.playerActivity],
    follows: [],
    produces: [topics.featureVectors, topics.playerOutcomes],
    state: [topics.playerState],
    port: 8081,
  },
  scorer: {
    name: 'scorer',
    does: 'scores each vector with the champion of its market, and with a challenger in its shadow',
    consumes: [topics.featureVectors],
    follows: [topics.registryEvents],
    produces: [topics.churnScores, topics.shadowScores, topics.loadReports],
    state: [],
    port: 8082,
  },
  registryBridge: {
    name: 'registry-bridge',
    does: 'tells the pipeline which version each alias names in MLflow, and MLflow how the scorers find it',
    consumes: [],
    follows: [topics.registryEvents, topics.loadReports],
    produces: [topics.registryEvents],
    state: [],
    port: 8083,
  },
  sinks: {
    name: 'sinks',
    does: 'writes scores to PostgreSQL, idempotent by cause',
    consumes: [topics.churnScores],
    follows: [],
    produces: [],
    state: [],
    port: 8084,
  },
} as const satisfies Record<string, Service>

export type ServiceId = keyof typeof services
