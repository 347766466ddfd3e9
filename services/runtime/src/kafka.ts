// What do our services need of Kafka? The port; no client's type passes it.

export type Headers = Readonly<Record<string, Buffer>>

export interface ConsumedRecord {
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Headers
}

export interface OutgoingRecord {
  readonly topic: string
  /** Always explicit, so that a retry can never move a record to another partition. */
  readonly partition: number
  readonly key: Buffer | string | null
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, Buffer | string>>
  /** Absent: the time of sending. */
  readonly timestampMs?: number
}

/** Committed records of one partition, as one fetch returned them. */
export interface Batch {
  readonly topic: string
  readonly partition: number
  /** Grows with every assignment of the group; a partition must be fenced anew in each. */
  readonly generation: number
  /** The offset that was asked for. Offsets may be missing in between, but not before the first. */
  readonly fetchedOffset: bigint
  /** Offsets behind the last of these that could be read when they were fetched. */
  readonly remaining: bigint
  readonly records: readonly ConsumedRecord[]
  /** True when this batch must not be worked on further: stopped, assigned anew, or sought elsewhere. */
  isStale(): boolean
  /** Keeps the membership alive. @throws RebalanceError when the group is being reassigned */
  heartbeat(): Promise<void>
  /** The next fetch starts after this offset. Does not commit. */
  resolve(offset: bigint): void
  /** The next fetch starts at this offset; nothing once the partitions were assigned anew. */
  seek(offset: bigint): void
}

export interface ConsumeOptions {
  readonly groupId: string
  readonly topic: string
  /** Further topics with as many partitions: whoever owns a partition owns it in each. */
  readonly alongside?: readonly string[]
  /** By topic: the first so many partitions are shared out, nobody reads the others; all unless told. */
  readonly partitions?: ReadonlyMap<string, number>
  readonly sessionTimeoutMs?: number
  /** The caller lets this time pass between fetches, so that one with nothing to bring may wait. */
  readonly fetchIntervalMs?: number
  /**
   * After every (re)assignment, with all partitions now owned, the same of every topic, and the
   * generation of its batches.
   */
  onAssigned(partitions: readonly number[], generation: number): void
  /** After every fetch, also one that brought nothing: the consumer is alive. */
  onFetched?(): void
  /** One call at a time for a partition of a topic; others run beside it. */
  onBatch(batch: Batch): Promise<void>
}

export interface GroupConsumer {
  /** Rejects when the consumer can't go on; resolves after stop. */
  readonly finished: Promise<void>
  /** Waits for running batches, then leaves the group. */
  stop(): Promise<void>
}

/** What a group has done of a partition. */
export interface CommittedOffset {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly next: bigint
  /** A text that is kept beside it. */
  readonly metadata?: string
}

export interface Transaction {
  readonly records: readonly OutgoingRecord[]
  readonly offsets?: readonly CommittedOffset[]
  /**
   * What else goes in, once it is known where the records will stand. What it throws comes out as it
   * is; the outcome is as unknown then as after any other throw.
   */
  readonly follow?: (placed: readonly Placed[]) => Promise<Omit<Transaction, 'follow'>>
}

/**
 * Opening one with an id fences every older producer of that id, and completes or aborts what it
 * left open.
 */
export interface TransactionalProducer {
  /**
   * Records and offsets in one transaction, or nothing. A throw means the outcome is unknown: close
   * this producer, open another with the same id, and read the committed offset again.
   */
  commit(transaction: Transaction): Promise<void>
  close(): Promise<void>
}

/** All that the transactions of one transactional id may write to. */
export interface Reach {
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[]
  /** Whose offsets they commit. */
  readonly groupIds?: readonly string[]
}

export interface Placed {
  readonly partition: number
  readonly offset: bigint
}

export interface Producer {
  /** Resolves once all in-sync replicas have every record, with each one's place in order. */
  send(records: readonly OutgoingRecord[]): Promise<Placed[]>
  close(): Promise<void>
}

/** Looks up records of one topic, again and again over the same connections. */
export interface Lookup {
  /** Committed records of a partition with from ≤ offset < to; those that are gone are left out. */
  read(partition: number, from: bigint, to: bigint): Promise<readonly ConsumedRecord[]>
  close(): Promise<void>
}

export interface Follower {
  /** Resolves when everything that stood in the topic at the start has been handed over. */
  readonly caughtUp: Promise<void>
  /** Rejects when following can't go on; resolves after stop. */
  readonly finished: Promise<void>
  stop(): Promise<void>
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

export interface Kafka {
  consume(options: ConsumeOptions): Promise<GroupConsumer>
  /** Fences the former owner of the id, and settles its last transaction wherever it may reach. */
  openTransactional(transactionalId: string, reach: Reach): Promise<TransactionalProducer>
  openProducer(): Promise<Producer>
  /** The group's committed next offset; where it never committed, the partition's first offset. */
  committedOffset(groupId: string, topic: string, partition: number): Promise<bigint>
  /** What was committed beside that offset; empty unless something was. */
  committedMetadata(groupId: string, topic: string, partition: number): Promise<string>
  /** The oldest offset that retention has left of each partition, in partition order. */
  firstOffsets(topic: string): Promise<bigint[]>
  /** One past the last offset of each partition, in partition order. */
  endOffsets(topic: string): Promise<bigint[]>
  /**
   * Committed records from an offset (default: the first) up to the end as it stands at the call. Up
   * to `end` where it is given: transactions that are open below it are waited for.
   */
  read(
    topic: string,
    partition: number,
    from?: bigint,
    end?: bigint,
  ): AsyncIterable<readonly ConsumedRecord[]>
  /** Connects when it is first read. */
  openLookup(topic: string): Lookup
  /** Committed records of all partitions from the start (or the end), for ever. */
  follow(
    topic: string,
    onRecords: (records: readonly ConsumedRecord[], partition: number) => void,
    options?: { from?: 'start' | 'end' },
  ): Follower
  /** Creates what is missing. @throws FatalError when a topic exists with other partitions */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>
  close(): Promise<void>
}
