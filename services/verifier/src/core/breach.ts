// What can be wrong with what stands in the topics?

export type BreachKind =
  /** An acknowledged event that player-activity lacks, or whose outcome is nowhere. */
  | 'lost'
  /** A second outcome of the same cause and player. */
  | 'duplicated'
  | 'out-of-order'
  /** An output whose cause does not give rise to it. */
  | 'unexpected'
  | 'wrong-vector'
  | 'wrong-label'
  | 'wrong-state'
  | 'wrong-score'
  | 'wrong-model'
  | 'wrong-dead-letter'
  | 'wrong-row'
  | 'open-transaction'
  | 'wrong-offset'

export interface Breach {
  readonly kind: BreachKind
  /** `topic-partition@offset`, or what comes closest. */
  readonly where: string
  readonly detail: string
  /** Of the event it is about, where there is one. */
  readonly eventId?: string
}

export const place = (topic: string, partition: number, offset: number): string =>
  `${topic}-${partition}@${offset}`
