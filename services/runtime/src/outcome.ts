// What became of a record?
import type { OutgoingRecord } from './kafka.ts'

/** Every consumed record ends as exactly one of these. */
export type Outcome =
  | { readonly kind: 'emit'; readonly records: readonly OutgoingRecord[] }
  /** Deliberately nothing; counted by reason. */
  | { readonly kind: 'skip'; readonly reason: string }
  /** Poison: set aside with its original bytes. */
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly detail: string }

export const outcomeKinds = ['emit', 'skip', 'dead-letter'] as const satisfies Outcome['kind'][]

export const emit = (records: readonly OutgoingRecord[]): Outcome => ({ kind: 'emit', records })
export const skip = (reason: string): Outcome => ({ kind: 'skip', reason })
export const deadLetter = (reason: string, detail: string): Outcome => ({
  kind: 'dead-letter',
  reason,
  detail,
})
