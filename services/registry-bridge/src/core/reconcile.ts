// Which events bring the topic to what the registry says?
import type { RegistryEvent } from '@churnstream/schemas'

/** What an alias names now, as the registry says. */
export type Registered = Omit<RegistryEvent, 'epoch' | 'origin'>

/** The newest event of each key; a removed alias keeps its epoch, so that epochs never fall. */
export interface Announced {
  readonly event: RegistryEvent | null
  readonly epoch: number
}

export interface Change {
  readonly key: string
  /** null: the alias is gone. */
  readonly event: RegistryEvent | null
}

export const keyOf = ({ modelName, alias }: Pick<RegistryEvent, 'modelName' | 'alias'>): string =>
  `${modelName}@${alias}`

/** The changes that make `announced` equal `registered`; empty when it is so already. */
export function reconcile(
  announced: ReadonlyMap<string, Announced>,
  registered: readonly Registered[],
  origin: 'reconcile' | 'webhook',
): Change[] {
  const changes: Change[] = []
  const present = new Set<string>()
  for (const wanted of registered) {
    const key = keyOf(wanted)
    present.add(key)
    const known = announced.get(key)
    if (known?.event && sameVersion(known.event, wanted)) continue
    changes.push({ key, event: { ...wanted, epoch: (known?.epoch ?? 0) + 1, origin } })
  }
  for (const [key, { event }] of announced) {
    if (event !== null && !present.has(key)) changes.push({ key, event: null })
  }
  return changes
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
