// What does each process ask of the place where it runs?
import { fused, services, type Service, type ServiceId } from './services.ts'

/** What a process reaches beside Kafka and the schema registry. */
export type Dependency = 'database' | 'mlflow' | 'model-files' | 'webhook'

export interface Placement {
  /** Thousandths of a processor. */
  readonly cpuMillis: number
  readonly memoryMb: number
  /** How many run: more than `most` would have no partition, or nothing to do. */
  readonly replicas: { readonly least: number; readonly most: number }
  readonly reaches: readonly Dependency[]
  /** From the order to stop until the work in hand is committed. */
  readonly stopSeconds: number
}

const lanes = (id: ServiceId): number =>
  Math.max(...services[id].consumes.map(({ partitions }) => partitions))

const quarter = { cpuMillis: 250, memoryMb: 512, stopSeconds: 30 }

/** Every service with a process of its own. */
export const placements = {
  ingestion: {
    cpuMillis: 500,
    memoryMb: 1024,
    replicas: { least: 2, most: 8 },
    reaches: [],
    stopSeconds: 30,
  },
  // Each replica holds the players of its partitions in memory, and restores them when it gets one.
  features: {
    cpuMillis: 1000,
    memoryMb: 4096,
    replicas: { least: 2, most: lanes('features') },
    reaches: [],
    stopSeconds: 60,
  },
  // Serving and shadow engines have a thread each.
  scorer: {
    cpuMillis: 2000,
    memoryMb: 4096,
    replicas: { least: 2, most: lanes('scorer') },
    reaches: ['model-files'],
    stopSeconds: 60,
  },
  // Two would fence each other at every write: safe, and nothing gained.
  registryBridge: {
    ...quarter,
    replicas: { least: 1, most: 1 },
    reaches: ['mlflow', 'model-files', 'webhook'],
  },
  sinks: {
    ...quarter,
    replicas: { least: 2, most: lanes('sinks') },
    reaches: ['database'],
  },
  monitor: {
    cpuMillis: 500,
    memoryMb: 2048,
    replicas: { least: 1, most: lanes('monitor') },
    reaches: ['model-files'],
    stopSeconds: 60,
  },
} as const satisfies Partial<Record<ServiceId, Placement>>

/** A service with a process of its own, and what it asks of its place. */
export interface Process extends Service {
  readonly id: ServiceId
  readonly placement: Placement
}

/** Of features and the scorer together, in their place. */
export const fusedPlacement: Placement = {
  cpuMillis: 2000,
  memoryMb: 6144,
  replicas: { least: 2, most: lanes('features') },
  reaches: ['model-files'],
  stopSeconds: 60,
}

/** What they consume from outside, it does. */
export const fusedProcess: Omit<Process, 'id'> = {
  ...fused.first,
  name: fused.name,
  does: fused.does,
  port: fused.port,
  placement: fusedPlacement,
}

export const processes: readonly Process[] = Object.entries<Placement>(placements).map(
  ([id, placement]) => ({ ...services[id as ServiceId], id: id as ServiceId, placement }),
)
