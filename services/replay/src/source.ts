// Where does the activity of a replay come from?
import type { SourcePlan } from './core/source-plan.ts'
import type { Step } from './core/step.ts'

export interface Source extends AsyncDisposable {
  readonly plan: SourcePlan
  /** Named as the cause of what follows. */
  readonly name: string
  readonly partitions: number
  /** How many players one of its clock records may concern. */
  readonly playersPerClock: number
  /** What was not taken into the replay at all. */
  readonly left: Left
  /** In order; an offset is the place in the partition. */
  read(partition: number): AsyncIterable<readonly Step[]>
}

export interface Left {
  /** Lines that are no event, by reason. */
  readonly rejected: Readonly<Record<string, number>>
  /** Events at or after the end of what was asked for. */
  readonly after: number
}

/** Work goes on ahead of its reader, so that waiting and computing overlap. */
export async function* ahead<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]()
  const asked: Promise<IteratorResult<T>>[] = []
  try {
    for (;;) {
      while (asked.length < count) {
        const next = iterator.next()
        // It is thrown when its turn comes.
        next.catch(() => undefined)
        asked.push(next)
      }
      const { done, value } = await (asked.shift() as Promise<IteratorResult<T>>)
      if (done === true) return
      yield value
    }
  } finally {
    await Promise.allSettled(asked)
    await iterator.return?.()
  }
}

/** Only what had happened before an instant. */
export async function* stepsBefore(
  untilAt: number,
  batches: AsyncIterable<readonly Step[]>,
): AsyncGenerator<readonly Step[]> {
  for await (const batch of batches) {
    yield batch.filter(({ input }) => !('occurredAt' in input) || input.occurredAt < untilAt)
  }
}
