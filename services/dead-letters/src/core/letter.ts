// Which dead letters are meant, and what is there to say of them?
import { renderTable } from '@churnstream/command-line'
import type { DeadLetter, DeadLetterReceipt } from '@churnstream/schemas'

export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface Letter extends Place {
  /** Why it was set aside, and where its record stood. */
  readonly cause: DeadLetter
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Without those that tell the cause. */
  readonly headers: Readonly<Record<string, Buffer>>
  /** Undefined while nothing was done with it. */
  readonly receipt: DeadLetterReceipt | undefined
}

export const placeText = ({ topic, partition, offset }: Place): string =>
  `${topic}-${partition}@${offset}`

/** Undefined when the text is not like player-activity.dlq-3@17. */
export function parsePlace(text: string): Place | undefined {
  const match = /^([a-z.-]+)-(\d+)@(\d+)$/.exec(text)
  if (match === null) return undefined
  const [, topic = '', partition, offset] = match
  return { topic, partition: Number(partition), offset: Number(offset) }
}

export interface Filter {
  /** Of the original record. */
  readonly topic?: string | undefined
  readonly reason?: string | undefined
  readonly place?: Place | undefined
}

export const matches =
  ({ topic, reason, place }: Filter) =>
  (letter: Letter): boolean =>
    (topic === undefined || letter.cause.topic === topic) &&
    (reason === undefined || letter.cause.reason === reason) &&
    (place === undefined || placeText(place) === placeText(letter))

export interface Count {
  readonly topic: string
  readonly reason: string
  waiting: number
  replayed: number
  dropped: number
  /** Milliseconds since 1970, of the newest record that was set aside. */
  newestAt: number
  /** Where the newest one that waits stands. */
  example: string
}

/** By topic and reason, most waiting first. */
export function countLetters(letters: readonly Letter[]): Count[] {
  const counts = new Map<string, Count>()
  for (const letter of letters) {
    const { topic, reason, timestamp } = letter.cause
    const key = `${topic} ${reason}`
    const count = counts.get(key) ?? {
      topic,
      reason,
      waiting: 0,
      replayed: 0,
      dropped: 0,
      newestAt: 0,
      example: '–',
    }
    counts.set(key, count)
    count.newestAt = Math.max(count.newestAt, timestamp)
    if (letter.receipt?.action === 'replayed') count.replayed++
    else if (letter.receipt?.action === 'dropped') count.dropped++
    else {
      count.waiting++
      count.example = placeText(letter)
    }
  }
  return [...counts.values()].sort(
    (a, b) => b.waiting - a.waiting || (a.reason < b.reason ? -1 : 1),
  )
}

export function countsText(counts: readonly Count[]): string {
  if (counts.length === 0) return 'no dead letters'
  const header = ['topic', 'reason', 'waiting', 'replayed', 'dropped', 'newest', 'for example']
  const rows = counts.map((count) => [
    count.topic,
    count.reason,
    String(count.waiting),
    String(count.replayed),
    String(count.dropped),
    new Date(count.newestAt).toISOString(),
    count.example,
  ])
  return renderTable(header, rows)
}
