// Which events bring the topic to what the registry says?
import type { RegistryEvent } from '@churnstream/schemas'

/** What an alias names now, as the registry says. */
export type Registered = Omit<RegistryEvent, 'epoch' | 'origin'>

/** The newest event of a key, as the topic says; null: a removed alias, or bytes nobody can read. */
export interface Announced {
  readonly event: RegistryEvent | null
}

export type Origin = 'reconcile' | 'webhook' | 'rollback'

export interface Change {
  readonly key: string
  /** null: the alias is gone. */
  readonly event: RegistryEvent | null
}

export const keyOf = ({ modelName, alias }: Pick<RegistryEvent, 'modelName' | 'alias'>): string =>
  `${modelName}@${alias}`

export interface Against {
  readonly origin: Origin
  /** The topic's end offset, read after every older writer was fenced. */
  readonly endOffset: number
  /** Only this model's keys; every key when absent. */
  readonly modelName?: string | undefined
}

/** The changes that make `announced` equal `registered`; empty when it is so already. */
export function reconcile(
  announced: ReadonlyMap<string, Announced>,
  registered: readonly Registered[],
  { origin, endOffset, modelName }: Against,
): Change[] {
  const changes: Change[] = []
  const present = new Set<string>()
  for (const wanted of registered) {
    const key = keyOf(wanted)
    present.add(key)
    const known = announced.get(key)?.event
    if (known && sameVersion(known, wanted)) continue
    // A removed alias's epochs may have been compacted away. No epoch is above its own offset + 1:
    // both rules keep that so. The end offset is above all of them and never falls.
    const epoch = known ? known.epoch + 1 : endOffset + 1
    changes.push({ key, event: { ...wanted, epoch, origin } })
  }
  for (const [key, { event }] of announced) {
    if (event === null || present.has(key)) continue
    if (modelName === undefined || event.modelName === modelName) changes.push({ key, event: null })
  }
  return changes
}

/** True when the same version at the same place has other bytes than were announced. */
export function bytesDiffer(known: RegistryEvent | null | undefined, change: Change): boolean {
  return (
    known?.modelVersion === change.event?.modelVersion &&
    known?.artifactLocation === change.event?.artifactLocation
  )
}

function sameVersion(event: RegistryEvent, wanted: Registered): boolean {
  return (
    event.modelVersion === wanted.modelVersion &&
    event.artifactLocation === wanted.artifactLocation &&
    digestOf(event) === digestOf(wanted)
  )
}

const digestOf = ({ files }: Pick<RegistryEvent, 'files'>): string =>
  files.map(({ path, sha256 }) => `${path}:${sha256}`).join()
