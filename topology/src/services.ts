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
  /** Read at the places that consumed records name. */
  readonly looksUp?: readonly Topic[]
  /** Compacted topics that hold the service's own state, restored at assignment. */
  readonly state: readonly Topic[]
  /** One instance at a time writes, in transactions of its own. */
  readonly isSoleWriter?: true
  /** Port of its HTTP server on a machine that runs one of each. */
  readonly port: number
  /** The service whose process its loop runs in, where it has none of its own. */
  readonly within?: string
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
    does: 'folds activity into players, emits a vector for each event and each due silence, erases',
    consumes: [topics.playerActivity, topics.privacyRequests],
    follows: [],
    produces: [topics.featureVectors, topics.playerOutcomes, topics.privacyConfirmations],
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
    follows: [topics.registryEvents, topics.loadReports, topics.modelMonitoring],
    produces: [topics.registryEvents],
    isSoleWriter: true,
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
  monitor: {
    name: 'monitor',
    does: 'counts for each player-day what was scored and what became of the player',
    consumes: [
      topics.churnScores,
      topics.shadowScores,
      topics.playerOutcomes,
      topics.privacyConfirmations,
    ],
    follows: [topics.registryEvents, topics.modelMonitoring],
    looksUp: [topics.featureVectors],
    produces: [topics.monitoringPartials, topics.privacyConfirmations],
    state: [topics.monitorState],
    port: 8085,
  },
  assessor: {
    name: 'assessor',
    does: 'adds up what the partitions counted, judges whole windows, asks for retraining',
    consumes: [topics.monitoringPartials],
    follows: [],
    produces: [topics.modelMonitoring, topics.retrainingRequests],
    state: [topics.assessorState],
    port: 8085,
    within: 'monitor',
  },
} as const satisfies Record<string, Service>

export type ServiceId = keyof typeof services

/** Topics of which a service may set records aside. */
export const consumedTopics: readonly Topic[] = [
  ...new Set(Object.values(services).flatMap((service: Service) => service.consumes)),
]

/** Services with a process of their own. */
export const processIds = (Object.keys(services) as ServiceId[]).filter(
  (id) => !('within' in services[id]),
)

/**
 * Another deployment of two services: one process in the place of theirs, in which what the first
 * writes is worked off by the second in the same transaction. Groups, topics and metrics stay theirs.
 */
export const fused = {
  name: 'fused',
  does: 'features and the scorer, in their place: what the one writes the other scores at once',
  first: services.features,
  second: services.scorer,
  port: 8087,
} as const

export type ProcessId = ServiceId | 'fused'

/** Of an installation in which they are fused. */
export const fusedProcessIds: readonly ProcessId[] = [
  ...processIds.filter((id) => !(['features', 'scorer'] as ServiceId[]).includes(id)),
  'fused',
]

/** Whatever has a process: its name and its port. */
export const hosts: Readonly<Record<ProcessId, Pick<Service, 'name' | 'port'>>> = {
  ...services,
  fused,
}
