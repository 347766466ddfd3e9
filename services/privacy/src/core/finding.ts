// Where is a player still found, and may they be?

export interface Finding {
  /** A topic, postgresql/schema.table, or s3://bucket/key. */
  readonly place: string
  /** Records, rows or objects. */
  readonly found: number
  /** When the last of them is gone by itself; null: never, something has to be done. */
  readonly goneAt: number | null
  readonly because: string
}

export interface Proof {
  /** As the system knows the player. */
  readonly playerId: string
  /** Of the erasures that were done; none: nothing was asked for yet. */
  readonly requests: readonly string[]
  readonly findings: readonly Finding[]
  /** How much was read of each kind of place, so that nothing found can be told from nothing read. */
  readonly read: { readonly records: number; readonly tables: number; readonly objects: number }
  /** Places that nobody looked at, and why. */
  readonly unread: readonly string[]
}

/** What should not be there. */
export const left = ({ findings }: Proof): readonly Finding[] =>
  findings.filter(({ goneAt }) => goneAt === null)
