// How is what one stage writes worked off by the next, in the same transaction?
import type { Schemas } from '@churnstream/schemas'
import { groupOf } from '@churnstream/topology'
import type { Work } from './http.ts'
import type { ConsumedRecord, Kafka, OutgoingRecord, Placed, Transaction } from './kafka.ts'
import type { Log } from './log.ts'
import type { LoopAccount } from './loop-account.ts'
import { read, settle, type Stage, type Worked } from './stage.ts'
import { takeOver, type Fence } from './take-over.ts'

export interface FollowingOptions<W> {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  /** Its topic is one that the first stage writes, to the partition that it reads. */
  readonly stage: Stage<W>
  /** Of a pass through the stage, at most. */
  readonly chunkRecords: number
  readonly fence: Fence
  /** The stage's own. */
  readonly account: LoopAccount
  readonly signal: AbortSignal
  readonly log: Log
}

/** The next stage's part of one transaction. */
export interface Along {
  readonly follow: NonNullable<Transaction['follow']>
  /** Once it is committed. */
  committed(): void
}

export interface Following {
  /**
   * Takes the partition over from whoever else runs the stage, and works off what it left. After this
   * the carrier of that id may write for it.
   */
  open(partition: number, carrierId: string, work: Work): Promise<void>
  /** For a transaction of the first stage that writes these. */
  along(partition: number, carrierId: string, written: readonly OutgoingRecord[]): Along
}

/**
 * The records that the first stage writes are taken as they will be read: their bytes, their places.
 * The offset is committed as if they had been, so that either way of running the stage goes on where
 * the other has ended. See docs/decisions/0123.
 */
export function createFollowing<W>(options: FollowingOptions<W>): Following {
  const { kafka, schemas, stage, chunkRecords, fence, account, signal, log } = options
  const { service, topic, processor } = stage
  const groupId = groupOf(service)
  /** By partition, what was committed last. */
  const answered = new Map<number, bigint>()

  function begin(partition: number, carrierId: string) {
    const passes: Worked[] = []
    const startedAt = performance.now()
    return {
      async workOff(records: readonly ConsumedRecord[]): Promise<Omit<Transaction, 'follow'>> {
        const [first, last] = [records[0], records.at(-1)]
        if (first === undefined || last === undefined) return { records: [] }
        account.taken(topic.name, partition, first.timestampMs)
        for (let done = 0; done < records.length;) {
          const chunk = records.slice(done, done + chunkRecords)
          const decoded = await read(stage, partition, chunk, schemas, signal)
          const worked = await settle(stage, partition, decoded)
          passes.push(worked)
          done += worked.chunk.length
        }
        return {
          records: passes.flatMap(({ written }) => written),
          offsets: [
            { groupId, topic: topic.name, partition, next: last.offset + 1n, metadata: carrierId },
          ],
        }
      },
      committed(): void {
        const seconds = (performance.now() - startedAt) / 1000
        const last = passes.at(-1)?.chunk.at(-1)
        if (last) answered.set(partition, last.offset + 1n)
        for (const worked of passes) account.committed({ ...worked, seconds })
        account.behind(topic.name, partition, 0, undefined)
      },
    }
  }

  return {
    async open(partition, carrierId, work) {
      const told = answered.get(partition)
      const over = await takeOver({
        kafka,
        service,
        topic,
        partition,
        fence,
        carrierId,
        ...(told !== undefined && { answered: new Map([[topic.name, told]]) }),
      })
      const { producer, next } = over
      try {
        work.cameOn()
        await processor.opened?.(partition, next)
        let from = next.get(topic.name) as bigint
        let { isNamed } = over
        let leftOver = 0
        // Whoever wrote there before is fenced: nothing more comes below the end.
        const end = (await kafka.endOffsets(topic.name))[partition] as bigint
        for await (const records of kafka.read(topic.name, partition, from, end)) {
          const last = records.at(-1)
          if (last === undefined) continue
          const pass = begin(partition, carrierId)
          await producer.commit(await pass.workOff(records))
          pass.committed()
          work.cameOn()
          from = last.offset + 1n
          isNamed = true
          leftOver += records.length
        }
        if (leftOver > 0) log.info({ topic: topic.name, partition, leftOver }, 'left over, done')
        if (isNamed) return
        const named = { groupId, topic: topic.name, partition, next: from, metadata: carrierId }
        await producer.commit({ records: [], offsets: [named] })
      } finally {
        await producer.close()
      }
    },
    along(partition, carrierId, written) {
      const pass = begin(partition, carrierId)
      return {
        follow: (placed) =>
          pass.workOff(
            written.flatMap((record, index) =>
              record.topic === topic.name ? [toConsumed(record, placed[index] as Placed)] : [],
            ),
          ),
        committed: () => pass.committed(),
      }
    },
  }
}

const noHeaders: Readonly<Record<string, Buffer>> = {}

/** As it will be read, once it is committed. */
function toConsumed(record: OutgoingRecord, { offset }: Placed): ConsumedRecord {
  const { topic, key, value, headers, timestampMs } = record
  if (timestampMs === undefined) throw new Error(`a record of ${topic} has no time: a bug`)
  const named = Object.entries(headers ?? {}).map(([name, text]) => [name, toBuffer(text)] as const)
  return {
    offset,
    timestampMs,
    key: key === null ? null : toBuffer(key),
    value,
    headers: named.length === 0 ? noHeaders : Object.fromEntries(named),
  }
}

const toBuffer = (text: Buffer | string): Buffer =>
  typeof text === 'string' ? Buffer.from(text) : text
