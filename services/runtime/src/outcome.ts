// What became of a record?
import type { OutgoingRecord } from './kafka.ts'

export type Facts = Readonly<Record<string, string | number>>

/** Every consumed record ends as exactly one of these. */
export type Outcome =
  | {
      readonly kind: 'emit'
      readonly records: readonly OutgoingRecord[]
      /** For the log and the span of a sampled record; never a payload. */
      readonly facts?: Facts
    }
  /** Deliberately nothing; counted by reason. */
  | { readonly kind: 'skip'; readonly reason: string }
  /** Poison: set aside with its original bytes. */
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly detail: string }

export const outcomeKinds = ['emit', 'skip', 'dead-letter'] as const satisfies Outcome['kind'][]

export const emit = (records: readonly OutgoingRecord[], facts?: Facts): Outcome =>
  facts === undefined ? { kind: 'emit', records } : { kind: 'emit', records, facts }
export const skip = (reason: string): Outcome => ({ kind: 'skip', reason })
export const deadLetter = (reason: string, detail: string): Outcome => ({
  kind: 'dead-letter',
  reason,
  detail,
})
