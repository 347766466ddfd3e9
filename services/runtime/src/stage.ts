// What becomes of records of one partition, before anything of it is committed?
import { DecodeProblem, type RecordDecoder, type Schemas } from '@churnstream/schemas'
import type { Service, Topic } from '@churnstream/topology'
import { toDeadLetter } from './dead-letter.ts'
import type { ConsumedRecord, OutgoingRecord } from './kafka.ts'
import type { Settled, Traced } from './loop-account.ts'
import { deadLetter, skip, type Outcome } from './outcome.ts'
import { childOf, toTraceparent, traceHeader, traceOf, type TraceContext } from './trace.ts'

export interface Received<V> {
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: V
  /** Of the work on this record, when it comes from a sampled request. */
  readonly trace?: TraceContext
}

/** The business of a service: what to do with the decoded records of one partition, in order. */
export interface Processor<V> {
  /**
   * One outcome per record, in order. Poison is an outcome; trouble of the world is thrown. When the
   * first of them give rise to enough for one transaction, the others may be left for the next: they
   * come again.
   */
  process(partition: number, records: readonly Received<V>[]): Outcome[] | Promise<Outcome[]>
  /**
   * Called when a partition has been taken over and its former owner fenced, before any record, with
   * the offset of each topic that comes next.
   */
  opened?(partition: number, next: ReadonlyMap<string, bigint>): Promise<void>
  /** Present on a processor with state. */
  readonly state?: ProcessorState
}

export interface ProcessorState {
  /** The compacted topic that holds the state, co-partitioned with the input. */
  readonly changelog: Topic
  /** Replaces the partition's state by what the changelog says. */
  restore(partition: number, changelog: AsyncIterable<readonly ConsumedRecord[]>): Promise<number>
  /** What `process` changed since the last call: goes into the same transaction. */
  changes(partition: number): OutgoingRecord[]
  release(partition: number): void
}

/** A topic, and what makes values of its records. */
export interface Input<V> {
  readonly topic: Topic
  readonly decoder: RecordDecoder<V>
  /** The others are skipped without being decoded; all are wanted unless told. */
  readonly wants?: (record: ConsumedRecord, partition: number) => boolean
  /** The first so many partitions are read, and nobody reads the others; all unless told. */
  readonly partitions?: number
}

/** A service's work on the records of one of its topics. */
export interface Stage<V> extends Input<V> {
  readonly service: Service
  readonly processor: Processor<V>
}

/** Records before they are processed: what is read of them, and what is settled without. */
export interface Read<V> {
  readonly chunk: readonly ConsumedRecord[]
  readonly received: readonly Received<V>[]
  /** By index in the chunk; undefined of what is received. */
  readonly outcomes: readonly (Outcome | undefined)[]
  /** By index in the chunk. */
  readonly traced: Map<number, Traced>
}

/** What became of a chunk or its first records, and what is to be written for them. */
export type Worked = Omit<Settled, 'seconds'>

const unwanted = skip('unwanted')

export async function read<V>(
  { decoder, wants }: Stage<V>,
  partition: number,
  chunk: readonly ConsumedRecord[],
  schemas: Pick<Schemas, 'prepare'>,
  signal: AbortSignal,
): Promise<Read<V>> {
  const wanted = wants ? chunk.filter((record) => wants(record, partition)) : chunk
  await schemas.prepare(
    decoder,
    wanted.map((record) => record.value),
    signal,
  )
  const received: Received<V>[] = []
  const traced = new Map<number, Traced>()
  let nextWanted = 0
  const outcomes = chunk.map((record, index) => {
    if (record !== wanted[nextWanted]) return unwanted
    nextWanted++
    const parent = traceOf(record.headers)
    const trace = parent && childOf(parent)
    if (trace) traced.set(index, { parent, trace })
    const value = decoder.decode(record.value)
    if (value instanceof DecodeProblem) return deadLetter(value.reason, value.detail)
    const { offset, timestampMs, key } = record
    received.push({ offset, timestampMs, key, value, ...(trace ? { trace } : {}) })
    return undefined
  })
  return { chunk, received, outcomes, traced }
}

/** From here on a state in memory is ahead of what is committed, until a commit says otherwise. */
export async function settle<V>(
  { service, topic, processor }: Stage<V>,
  partition: number,
  { chunk, received, outcomes, traced }: Read<V>,
): Promise<Worked> {
  const processed = received.length === 0 ? [] : await processor.process(partition, received)
  if (processed.length > received.length || (received.length > 0 && processed.length === 0)) {
    throw new Error(
      `${processed.length} outcomes for ${received.length} records: a bug in ${service.name}`,
    )
  }
  let at = 0
  const written: OutgoingRecord[] = []
  const settled: Outcome[] = []
  for (const [index, record] of chunk.entries()) {
    const outcome = outcomes[index] ?? processed[at++]
    // From here on the records are left for the next transaction.
    if (outcome === undefined) break
    settled.push(outcome)
    switch (outcome.kind) {
      case 'emit': {
        const trace = traced.get(index)?.trace
        for (const out of outcome.records) written.push(trace ? within(trace, out) : out)
        break
      }
      case 'dead-letter':
        written.push(
          toDeadLetter(record, {
            reason: outcome.reason,
            detail: outcome.detail,
            service: service.name,
            topic: topic.name,
            partition,
          }),
        )
        break
      case 'skip':
        break
      default:
        outcome satisfies never
    }
  }
  if (processor.state) for (const change of processor.state.changes(partition)) written.push(change)
  const done = chunk.slice(0, settled.length)
  for (const index of traced.keys()) if (index >= done.length) traced.delete(index)
  return { topic, partition, chunk: done, outcomes: settled, written, traced }
}

const within = (trace: TraceContext, record: OutgoingRecord): OutgoingRecord => ({
  ...record,
  headers: { ...record.headers, [traceHeader]: toTraceparent(trace) },
})
