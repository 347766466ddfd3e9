// How does the Kafka port behave without a broker? For fast tests; held to the same contract.
import { FatalError, TransientError } from './errors.ts'
import type {
  Batch,
  CommittedOffset,
  ConsumedRecord,
  ConsumeOptions,
  Follower,
  GroupConsumer,
  Kafka,
  OutgoingRecord,
  Placed,
  Producer,
  TopicSpec,
  TransactionalProducer,
} from './kafka.ts'

interface Member {
  readonly options: ConsumeOptions
  readonly finished: PromiseWithResolvers<void>
  generation: number
  owned: readonly number[]
  /** By topic and partition. */
  positions: Map<string, bigint>
  sought: Map<string, bigint>
  running: boolean
  loop: Promise<void>
}

const fetchRecords = 500

/** A cluster in memory: partitions, groups, committed offsets and producer epochs. */
export class MemoryCluster {
  readonly #topics = new Map<string, ConsumedRecord[][]>()
  readonly #offsets = new Map<string, CommittedOffset>()
  readonly #epochs = new Map<string, number>()
  readonly #groups = new Map<string, Member[]>()
  readonly #waiting = new Set<() => void>()
  /** Called at the named points of a commit; a throw there is what a broken connection is. */
  failpoint: (point: 'before-commit' | 'after-commit', transactionalId: string) => void = () =>
    undefined

  open(): Kafka {
    return {
      consume: async (options) => this.#consume(options),
      openTransactional: async (id) => this.#openTransactional(id),
      openProducer: async () => this.#openProducer(),
      committedOffset: async (group, topic, partition) => {
        this.#partition(topic, partition)
        return this.#committed(group, topic, partition)
      },
      committedMetadata: async (group, topic, partition) =>
        this.#offsets.get(offsetKey(group, topic, partition))?.metadata ?? '',
      firstOffsets: async (topic) => this.#partitions(topic).map(() => 0n),
      endOffsets: async (topic) => this.#partitions(topic).map((log) => BigInt(log.length)),
      read: (topic, partition, from, end) => this.#read(topic, partition, from, end),
      openLookup: (topic) => ({
        read: async (partition, from, to) =>
          this.#partition(topic, partition).slice(Number(from), Number(to)),
        close: async () => undefined,
      }),
      follow: (topic, onRecords, options) =>
        this.#follow(topic, onRecords, options?.from ?? 'start'),
      ensureTopics: async (specs) => this.#ensureTopics(specs),
      close: async () => undefined,
    }
  }

  #ensureTopics(specs: readonly TopicSpec[]): void {
    for (const { name, partitions } of specs) {
      const known = this.#topics.get(name)
      if (known === undefined) {
        this.#topics.set(
          name,
          Array.from({ length: partitions }, () => []),
        )
      } else if (known.length !== partitions) {
        throw new FatalError(`topic ${name} has ${known.length} partitions, not ${partitions}`)
      }
    }
  }

  #partitions(topic: string): ConsumedRecord[][] {
    const partitions = this.#topics.get(topic)
    if (partitions === undefined) throw new FatalError(`there is no topic ${topic}`)
    return partitions
  }

  #partition(topic: string, partition: number): ConsumedRecord[] {
    const log = this.#partitions(topic)[partition]
    if (log === undefined) throw new FatalError(`topic ${topic} has no partition ${partition}`)
    return log
  }

  #committed(group: string, topic: string, partition: number): bigint {
    return this.#offsets.get(offsetKey(group, topic, partition))?.next ?? 0n
  }

  #append(records: readonly OutgoingRecord[]): Placed[] {
    for (const { topic, partition } of records) this.#partition(topic, partition)
    const placed = records.map((record) => {
      const log = this.#partition(record.topic, record.partition)
      const headers = Object.entries(record.headers ?? {}).map(
        ([name, value]) => [name, toBuffer(value)] as const,
      )
      const offset = BigInt(log.length)
      log.push({
        offset,
        timestampMs: record.timestampMs ?? Date.now(),
        key: record.key === null ? null : toBuffer(record.key),
        value: record.value === null ? null : Buffer.from(record.value),
        headers: Object.fromEntries(headers),
      })
      return { partition: record.partition, offset }
    })
    this.#wake()
    return placed
  }

  /** Where they will stand, if nobody else appends meanwhile: a partition's lane is its one writer. */
  #placesOf(records: readonly OutgoingRecord[]): Placed[] {
    const ahead = new Map<ConsumedRecord[], bigint>()
    return records.map(({ topic, partition }) => {
      const log = this.#partition(topic, partition)
      const offset = ahead.get(log) ?? BigInt(log.length)
      ahead.set(log, offset + 1n)
      return { partition, offset }
    })
  }

  #openTransactional(id: string): TransactionalProducer {
    const epoch = (this.#epochs.get(id) ?? 0) + 1
    this.#epochs.set(id, epoch)
    let usable = true
    return {
      commit: async ({ records, offsets = [], follow }) => {
        if (!usable) throw new TransientError(`producer ${id} is closed`)
        await Promise.resolve()
        usable = false
        if (this.#epochs.get(id) !== epoch) throw new TransientError(`producer ${id} is fenced`)
        this.failpoint('before-commit', id)
        const more = await follow?.(this.#placesOf(records))
        if (this.#epochs.get(id) !== epoch) throw new TransientError(`producer ${id} is fenced`)
        this.#append([...records, ...(more?.records ?? [])])
        for (const offset of [...offsets, ...(more?.offsets ?? [])]) {
          this.#offsets.set(offsetKey(offset.groupId, offset.topic, offset.partition), offset)
        }
        this.failpoint('after-commit', id)
        usable = true
      },
      close: async () => void (usable = false),
    }
  }

  #openProducer(): Producer {
    let open = true
    return {
      send: async (records) => {
        if (!open) throw new TransientError('the producer is closed')
        return this.#append(records)
      },
      close: async () => void (open = false),
    }
  }

  #consume(options: ConsumeOptions): GroupConsumer {
    for (const topic of topicsOf(options)) this.#partitions(topic)
    const member: Member = {
      options,
      finished: Promise.withResolvers<void>(),
      generation: 0,
      owned: [],
      positions: new Map(),
      sought: new Map(),
      running: true,
      loop: Promise.resolve(),
    }
    member.finished.promise.catch(() => undefined)
    const members = [...(this.#groups.get(options.groupId) ?? []), member]
    this.#groups.set(options.groupId, members)
    this.#rebalance(options.groupId)
    member.loop = this.#poll(member)
    return {
      finished: member.finished.promise,
      stop: async () => {
        if (!member.running) return member.loop
        member.running = false
        this.#wake()
        await member.loop
        this.#leave(member)
        member.finished.resolve()
      },
    }
  }

  #leave(member: Member): void {
    const left = (this.#groups.get(member.options.groupId) ?? []).filter((m) => m !== member)
    this.#groups.set(member.options.groupId, left)
    this.#rebalance(member.options.groupId)
  }

  #rebalance(groupId: string): void {
    const members = this.#groups.get(groupId) ?? []
    for (const [index, member] of members.entries()) {
      const { topic, partitions } = member.options
      const read = topicsOf(member.options).map((name) => partitions?.get(name) ?? Infinity)
      const count = Math.min(this.#partitions(topic).length, Math.max(...read))
      member.owned = Array.from({ length: count }, (_, p) => p).filter(
        (partition) => partition % members.length === index,
      )
      member.generation++
      member.positions.clear()
      member.sought.clear()
      member.options.onAssigned(member.owned, member.generation)
    }
    this.#wake()
  }

  async #poll(member: Member): Promise<void> {
    try {
      while (member.running) {
        member.options.onFetched?.()
        const batches = member.owned.flatMap((partition) =>
          topicsOf(member.options).flatMap((topic) => this.#fetch(member, topic, partition) ?? []),
        )
        if (batches.length === 0) await this.#news()
        else await Promise.all(batches.map((batch) => member.options.onBatch(batch)))
      }
    } catch (error) {
      member.running = false
      this.#leave(member)
      member.finished.reject(error)
    }
  }

  #fetch(member: Member, topic: string, partition: number): Batch | undefined {
    const { groupId } = member.options
    if (partition >= (member.options.partitions?.get(topic) ?? Infinity)) return undefined
    const log = this.#partition(topic, partition)
    const place = `${topic} ${partition}`
    const sought = member.sought.get(place)
    member.sought.delete(place)
    const committed = this.#committed(groupId, topic, partition)
    const from = sought ?? member.positions.get(place) ?? committed
    member.positions.set(place, from)
    const records = log.slice(Number(from), Number(from) + fetchRecords)
    if (records.length === 0) return undefined
    const { generation } = member
    const isOld = () => member.generation !== generation
    return {
      topic,
      partition,
      generation,
      fetchedOffset: from,
      remaining: BigInt(log.length) - from - BigInt(records.length),
      records,
      isStale: () => !member.running || isOld() || member.sought.has(place),
      heartbeat: async () => undefined,
      resolve: (offset) => {
        if (!isOld()) member.positions.set(place, offset + 1n)
      },
      seek: (offset) => {
        if (isOld()) return
        member.sought.set(place, offset)
        this.#wake()
      },
    }
  }

  async *#read(
    topic: string,
    partition: number,
    from = 0n,
    until?: bigint,
  ): AsyncGenerator<readonly ConsumedRecord[]> {
    const { length } = this.#partition(topic, partition)
    const end = until === undefined ? length : Math.min(length, Number(until))
    for (let start = Number(from); start < end; start += fetchRecords) {
      await Promise.resolve()
      yield this.#partition(topic, partition).slice(start, Math.min(end, start + fetchRecords))
    }
  }

  #follow(
    topic: string,
    onRecords: (records: readonly ConsumedRecord[], partition: number) => void,
    from: 'start' | 'end',
  ): Follower {
    const partitions = this.#partitions(topic)
    const positions = partitions.map((log) => (from === 'start' ? 0 : log.length))
    const caughtUp = Promise.withResolvers<void>()
    let running = true
    const finished = (async () => {
      while (running) {
        for (const [partition, log] of partitions.entries()) {
          const records = log.slice(positions[partition])
          positions[partition] = log.length
          if (records.length > 0) onRecords(records, partition)
        }
        caughtUp.resolve()
        await this.#news()
      }
    })()
    finished.catch((error: unknown) => caughtUp.reject(error))
    return {
      caughtUp: caughtUp.promise,
      finished,
      stop: async () => {
        running = false
        this.#wake()
        await finished.catch(() => undefined)
      },
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    // In a later turn, as a network would.
    setImmediate(() => waiting.forEach((resolve) => resolve()))
  }
}

const topicsOf = ({ topic, alongside = [] }: ConsumeOptions): readonly string[] => [
  topic,
  ...alongside,
]

const offsetKey = (group: string, topic: string, partition: number): string =>
  `${group} ${topic} ${partition}`
const toBuffer = (value: Buffer | string): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from(value)
