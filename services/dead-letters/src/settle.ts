// How does something become of dead letters, each of them once?
import type { Kafka, OutgoingRecord } from '@churnstream/runtime'
import type { Schemas } from '@churnstream/schemas'
import { consumedTopics, deadLetterReceipts, soleWriterIdOf } from '@churnstream/topology'
import { randomUUID } from 'node:crypto'
import { matches, placeText, type Filter, type Letter } from './core/letter.ts'
import { readLetters, readReceipts } from './letters.ts'

const transactionalId = soleWriterIdOf('dead-letters')
const batchLetters = 500

/** Told by every record that was replayed: which letter it comes from, and by which command. */
export const replayHeaders = { of: 'replay.of', batch: 'replay.batch' } as const

export interface Settlement {
  readonly batch: string
  readonly action: 'replayed' | 'dropped'
  /** Letters that the filter named and that nothing had been done with. */
  readonly selected: number
  /** Receipts of this command that stand in the topic now. */
  readonly receipts: number
  /** Records of this command that stand in their topics again; 0 when dropped. */
  readonly records: number
  /** Named by the filter, and done before. */
  readonly doneBefore: number
}

/** Everything that was selected has its receipt, and what was replayed stands in its topic. */
export const isWhole = ({ action, selected, receipts, records }: Settlement): boolean =>
  receipts === selected && records === (action === 'replayed' ? selected : 0)

export interface SettleOptions {
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly filter: Filter
  readonly action: Settlement['action']
  readonly because: string
  readonly nowMs: number
}

/**
 * Original bytes and receipts go in one transaction, by one producer at a time: another command
 * fences this one. Counted again from the topics in the end.
 * @throws TransientError when Kafka is away, or another command took over: what was committed has its
 *   receipt, so running it again does the rest
 */
export async function settle(options: SettleOptions): Promise<Settlement> {
  const { kafka, schemas, filter, action, because, nowMs } = options
  const batch = randomUUID()
  const encoder = await schemas.encoderOf(deadLetterReceipts)
  const targets = consumedTopics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  const producer = await kafka.openTransactional(transactionalId, {
    partitions: [...targets, { topic: deadLetterReceipts.name, partition: 0 }],
  })
  try {
    // Read only now that nobody else can settle any more.
    const named = (await readLetters(kafka, schemas)).filter(matches(filter))
    const selected = named.filter(({ receipt }) => receipt === undefined)
    const ends = new Map<string, readonly bigint[]>()
    for (const { name } of consumedTopics) ends.set(name, await kafka.endOffsets(name))
    for (let start = 0; start < selected.length; start += batchLetters) {
      const part = selected.slice(start, start + batchLetters)
      await producer.commit({
        records: [
          ...(action === 'replayed' ? part.map((letter) => toOriginal(letter, batch)) : []),
          ...part.map(({ topic, partition, offset }) => ({
            topic: deadLetterReceipts.name,
            partition: 0,
            key: placeText({ topic, partition, offset }),
            value: encoder.encode({ topic, partition, offset, action, batch, because, at: nowMs }),
          })),
        ],
      })
    }
    await producer.close()
    return {
      batch,
      action,
      selected: selected.length,
      receipts: await countReceipts(kafka, schemas, batch, selected.length),
      records: await countRecords(kafka, batch, ends, action === 'replayed' ? selected.length : 0),
      doneBefore: named.length - selected.length,
    }
  } finally {
    await producer.close()
  }
}

function toOriginal(letter: Letter, batch: string): OutgoingRecord {
  const { cause, key, value, headers } = letter
  return {
    topic: cause.topic,
    partition: cause.partition,
    key,
    value,
    headers: { ...headers, [replayHeaders.of]: placeText(letter), [replayHeaders.batch]: batch },
    timestampMs: cause.timestamp,
  }
}

const patienceMs = 10_000

/** A commit is answered before its markers are written. */
async function patiently(expected: number, count: () => Promise<number>): Promise<number> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const counted = await count()
    if (counted >= expected || Date.now() > deadline) return counted
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const countReceipts = (
  kafka: Kafka,
  schemas: Schemas,
  batch: string,
  expected: number,
): Promise<number> =>
  patiently(expected, async () => {
    const receipts = await readReceipts(kafka, schemas)
    return [...receipts.values()].filter((receipt) => receipt.batch === batch).length
  })

const countRecords = (
  kafka: Kafka,
  batch: string,
  from: ReadonlyMap<string, readonly bigint[]>,
  expected: number,
): Promise<number> =>
  patiently(expected, async () => {
    let counted = 0
    for (const [topic, offsets] of from) {
      for (const [partition, offset] of offsets.entries()) {
        for await (const records of kafka.read(topic, partition, offset)) {
          counted += records.filter(
            ({ headers }) => headers[replayHeaders.batch]?.toString() === batch,
          ).length
        }
      }
    }
    return counted
  })
