// What does a replay fold, one after the other?
import type { PartitionState, Result } from '@churnstream/features'
import { clockKind, type PlayerActivity } from '@churnstream/schemas'

/** What the stream set aside as a dead letter. */
export class Poison {
  /** A slug, as the dead letter has it. */
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** An input of a partition. Offsets ascend; what stands at one never changes. */
export interface Step {
  readonly offset: number
  /** An event or a clock record. */
  readonly input: PlayerActivity | Poison
}

/** What became of the inputs of a partition: records is the sum of the others. */
export interface Folded {
  records: number
  folded: number
  clocks: number
  duplicates: number
  tooLate: number
  /** By reason. */
  readonly poison: Record<string, number>
}

export const emptyFolded = (): Folded => ({
  records: 0,
  folded: 0,
  clocks: 0,
  duplicates: 0,
  tooLate: 0,
  poison: {},
})

/** Folds as the features service does. Undefined: nothing follows from it. */
export function fold(
  state: PartitionState,
  { offset, input }: Step,
  counts: Folded,
): Result | undefined {
  counts.records++
  if (input instanceof Poison) {
    counts.poison[input.reason] = (counts.poison[input.reason] ?? 0) + 1
    return undefined
  }
  if (input.kind === clockKind) {
    counts.clocks++
    return state.onClock(input.occurredAt, offset)
  }
  const result = state.onActivity(input, offset)
  if (result === 'duplicate') counts.duplicates++
  else if (result === 'too-late') counts.tooLate++
  else if (result === 'erased') throw new Error('a source had activity of an erased player: a bug')
  else {
    counts.folded++
    return result
  }
  return undefined
}
