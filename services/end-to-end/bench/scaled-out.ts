// How many events a second would so many replicas take, and what would be full first?

/** A service as it was measured, a chunk of one partition at a time. */
export interface Stage {
  readonly name: string
  readonly recordsPerChunk: number
  /** Of its replica: it does nothing else meanwhile. */
  readonly chunkSeconds: number
  /** Until it is committed and the next one there: the partition stands still, others go on. */
  readonly waitSeconds: number
}

/** Cores that all events go through, whichever replica they belong to. */
export interface SharedCores {
  readonly name: string
  readonly cores: number
  readonly secondsPerEvent: number
}

export interface ScaledOut {
  readonly eventsPerSecond: number
  /** What lets no more through. */
  readonly full: string
  /** By name, how much of its time it is busy: of a service the busiest replica. */
  readonly busy: Readonly<Record<string, number>>
  /** Of each service, those that own a partition. */
  readonly workingReplicas: number
}

interface Bound {
  readonly name: string
  readonly eventsPerSecond: number
}

/**
 * Where one thing is full all the time, nothing else has to be simulated: the rate is the least of what
 * each replica, each partition and the shared cores let through of the events that are theirs. Every
 * service has the same number of replicas, and replica r the partitions p with p mod replicas = r.
 * @param shares of the events that each partition has; they add up to 1
 */
export function scaledOut(
  stages: readonly Stage[],
  shares: readonly number[],
  replicas: number,
  shared: readonly SharedCores[],
): ScaledOut {
  const largestOfPartition = Math.max(...shares)
  const largestOfReplica = Math.max(...dealt(shares, replicas))
  const replicaBounds = stages.map((stage) => ({
    name: stage.name,
    eventsPerSecond: stage.recordsPerChunk / stage.chunkSeconds / largestOfReplica,
  }))
  const partitionBounds = stages.map((stage) => {
    const cycleSeconds = stage.chunkSeconds + stage.waitSeconds
    return {
      name: `a partition of ${stage.name}`,
      eventsPerSecond: stage.recordsPerChunk / cycleSeconds / largestOfPartition,
    }
  })
  const sharedBounds = shared.map(({ name, cores, secondsPerEvent }) => ({
    name,
    eventsPerSecond: cores / secondsPerEvent,
  }))
  // Of equal ones the first: a replica that is full says more than its partition.
  const bounds: readonly Bound[] = [...replicaBounds, ...sharedBounds, ...partitionBounds]
  const least = bounds.reduce((found, bound) =>
    bound.eventsPerSecond < found.eventsPerSecond ? bound : found,
  )
  const { eventsPerSecond } = least
  return {
    eventsPerSecond,
    full: least.name,
    busy: Object.fromEntries(
      [...replicaBounds, ...sharedBounds].map((bound) => [
        bound.name,
        eventsPerSecond / bound.eventsPerSecond,
      ]),
    ),
    workingReplicas: Math.min(replicas, shares.length),
  }
}

function dealt(shares: readonly number[], replicas: number): number[] {
  const sums = Array.from({ length: replicas }, () => 0)
  for (const [partition, share] of shares.entries()) {
    sums[partition % replicas] = (sums[partition % replicas] as number) + share
  }
  return sums
}

/** What a partition waits for between its chunks, from the rate of one that is alone. */
export function toStage(
  name: string,
  recordsPerChunk: number,
  eventsPerSecond: { readonly ofOneReplica: number; readonly ofOnePartition: number },
): Stage {
  const chunkSeconds = recordsPerChunk / eventsPerSecond.ofOneReplica
  const cycleSeconds = recordsPerChunk / eventsPerSecond.ofOnePartition
  return {
    name,
    recordsPerChunk,
    chunkSeconds,
    waitSeconds: Math.max(0, cycleSeconds - chunkSeconds),
  }
}

/** Who owns how much. */
interface Dealt {
  readonly partitions: number
  readonly replicas: number
}

/**
 * The measured one whose replicas own as many partitions as elsewhere, or come nearest to it: the fewer a
 * replica owns, the less each of its transactions holds, and the more the broker has to do for an event.
 */
export function nearest<T extends Dealt>(measured: readonly T[], elsewhere: Dealt): T {
  const owned = ({ partitions, replicas }: Dealt): number => Math.max(1, partitions / replicas)
  const distance = (one: T): number => Math.abs(Math.log(owned(one) / owned(elsewhere)))
  return measured.reduce((best, one) => (distance(one) < distance(best) ? one : best))
}

/** How the events are shared out, by how many each partition has. */
export function sharesOf(partitionOfEach: Iterable<number>, partitions: number): number[] {
  const counts = Array.from({ length: partitions }, () => 0)
  let all = 0
  for (const partition of partitionOfEach) {
    counts[partition] = (counts[partition] as number) + 1
    all++
  }
  return counts.map((count) => count / all)
}
