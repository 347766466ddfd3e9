// What must every implementation of the Kafka port do? Called by each one's test.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FatalError, TransientError } from './errors.ts'
import type { Batch, ConsumedRecord, GroupConsumer, Kafka, OutgoingRecord } from './kafka.ts'

export interface KafkaUnderTest {
  readonly kafka: Kafka
  /** Leaves a transaction with these records open, as a producer that has not decided yet does. */
  readonly begin?: (id: string, records: readonly OutgoingRecord[]) => Promise<Undecided>
}

export interface Undecided {
  commit(): Promise<void>
  abort(): Promise<void>
}

const waitMs = 30_000

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${waitMs} ms: ${what}`)
    await delay(10)
  }
}

export function kafkaContract(name: string, open: () => Promise<KafkaUnderTest>): void {
  const promise = (
    what: string,
    body: (under: KafkaUnderTest, topic: string) => Promise<void>,
  ): void =>
    void test(`${name} - ${what}`, async () => {
      const under = await open()
      const topic = `contract-${randomUUID()}`
      await under.kafka.ensureTopics([{ name: topic, partitions: 2, config: {} }])
      await body(under, topic)
    })

  promise(
    'ensureTopics leaves what exists and refuses other partition counts',
    async ({ kafka }, topic) => {
      await kafka.ensureTopics([{ name: topic, partitions: 2, config: {} }])
      const other = [{ name: topic, partitions: 3, config: {} }]
      await assert.rejects(kafka.ensureTopics(other), FatalError)
    },
  )

  promise(
    'a consumer hears of every fetch, and nothing remains behind the newest batch, markers included',
    async ({ kafka }, topic) => {
      const producer = await kafka.openTransactional(`remaining-${topic}`, {
        partitions: [{ topic, partition: 0 }],
      })
      await producer.commit({ records: [record(topic, 0, 'a'), record(topic, 0, 'b')] })
      await producer.close()
      const remaining: bigint[] = []
      let fetches = 0
      const consumer = await kafka.consume({
        groupId: `group-${topic}`,
        topic,
        onAssigned: () => undefined,
        onFetched: () => void fetches++,
        async onBatch(batch) {
          remaining.push(batch.remaining)
          batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
        },
      })
      await until('the batch', () => remaining.length > 0)
      await consumer.stop()
      assert.equal(remaining.at(-1), 0n)
      assert.ok(fetches > 0)
    },
  )

  promise('send tells each record its place', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    const records = [record(topic, 0, 'a'), record(topic, 1, 'b'), record(topic, 0, 'c')]
    const first = await producer.send(records)
    const second = await producer.send([record(topic, 0, 'd')])
    await producer.close()
    assert.deepEqual(first, [
      { partition: 0, offset: 0n },
      { partition: 1, offset: 0n },
      { partition: 0, offset: 1n },
    ])
    assert.deepEqual(second, [{ partition: 0, offset: 2n }])
    assert.deepEqual(await kafka.endOffsets(topic), [3n, 1n])
  })

  promise(
    'null keys, null and empty values and headers come back as they were',
    async ({ kafka }, topic) => {
      const producer = await kafka.openProducer()
      const at = 1_700_000_000_000
      await producer.send([
        { topic, partition: 0, key: null, value: null, timestampMs: at },
        {
          topic,
          partition: 0,
          key: '',
          value: Buffer.alloc(0),
          headers: { a: 'ü', b: Buffer.from([0, 255]) },
        },
      ])
      await producer.close()
      const [first, second] = await readAll(kafka, topic, 0)
      assert.equal(first?.key, null)
      assert.equal(first?.value, null)
      assert.equal(first?.timestampMs, at)
      assert.equal(second?.key?.length, 0)
      assert.equal(second?.value?.length, 0)
      assert.equal(second?.headers['a']?.toString(), 'ü')
      assert.deepEqual([...(second?.headers['b'] ?? [])], [0, 255])
    },
  )

  promise('read starts where it is told and ends at the end', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    await producer.send(['a', 'b', 'c'].map((value) => record(topic, 0, value)))
    await producer.close()
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0)), ['a', 'b', 'c'])
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0, 2n)), ['c'])
    assert.deepEqual(textsOf(await readAll(kafka, topic, 1)), [])
    const upTo = await Array.fromAsync(kafka.read(topic, 0, 1n, 2n))
    assert.deepEqual(textsOf(upTo.flat()), ['b'])
    assert.deepEqual(await kafka.firstOffsets(topic), [0n, 0n])
  })

  promise('read up to an end waits for what is undecided below it', async (under, topic) => {
    const { kafka, begin } = under
    if (begin === undefined) return
    const producer = await kafka.openProducer()
    await producer.send([record(topic, 0, 'a')])
    const undecided = await begin(`open-${topic}`, [record(topic, 0, 'b')])
    await producer.send([record(topic, 0, 'c'), record(topic, 0, 'd')])
    await producer.close()
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0)), ['a'])
    const reading = Array.fromAsync(kafka.read(topic, 0, 0n, 3n))
    const first = await Promise.race([reading, delay(500)])
    assert.equal(first, undefined)
    await undecided.commit()
    assert.deepEqual(textsOf((await reading).flat()), ['a', 'b', 'c'])
  })

  promise('a transaction shows its records and its offset together', async ({ kafka }, topic) => {
    const group = `group-${randomUUID()}`
    assert.equal(await kafka.committedOffset(group, topic, 0), 0n)
    const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    for (const [index, value] of ['a', 'b', 'c'].entries()) {
      await producer.commit({
        records: [record(topic, 0, value), record(topic, 1, value)],
        offsets: [{ groupId: group, topic, partition: 0, next: BigInt(index + 1) }],
      })
    }
    await producer.close()
    assert.equal(await kafka.committedOffset(group, topic, 0), 3n)
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0)), ['a', 'b', 'c'])
    assert.deepEqual(textsOf(await readAll(kafka, topic, 1)), ['a', 'b', 'c'])
  })

  promise('a transaction of an offset alone commits', async ({ kafka }, topic) => {
    const group = `group-${randomUUID()}`
    const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    for (const next of [5n, 6n]) {
      await producer.commit({
        records: [],
        offsets: [{ groupId: group, topic, partition: 1, next }],
      })
    }
    await producer.close()
    assert.equal(await kafka.committedOffset(group, topic, 1), 6n)
  })

  promise('a text is kept beside each offset of a transaction', async ({ kafka }, topic) => {
    const groupId = `group-${randomUUID()}`
    assert.equal(await kafka.committedMetadata(groupId, topic, 0), '')
    const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    const offset = { groupId, topic, next: 1n }
    await producer.commit({
      records: [],
      offsets: [
        { ...offset, partition: 0, metadata: 'ü' },
        { ...offset, partition: 1 },
      ],
    })
    await producer.close()
    await until('both offsets', async () => (await kafka.committedOffset(groupId, topic, 1)) === 1n)
    assert.equal(await kafka.committedOffset(groupId, topic, 0), 1n)
    assert.equal(await kafka.committedMetadata(groupId, topic, 0), 'ü')
    assert.equal(await kafka.committedMetadata(groupId, topic, 1), '')
  })

  promise(
    'what follows goes in with what it follows, and knows its place',
    async (under, topic) => {
      const { kafka } = under
      const groupId = `group-${randomUUID()}`
      const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
      for (const next of [1n, 2n]) {
        await producer.commit({
          records: [record(topic, 0, 'a'), record(topic, 1, 'x'), record(topic, 0, 'b')],
          offsets: [{ groupId, topic, partition: 0, next }],
          follow: async (placed) => ({
            records: [record(topic, 1, placed.map(({ offset }) => offset).join(' '))],
            offsets: [{ groupId, topic, partition: 1, next }],
          }),
        })
      }
      await producer.close()
      await until(
        'both offsets',
        async () => (await kafka.committedOffset(groupId, topic, 1)) === 2n,
      )
      assert.equal(await kafka.committedOffset(groupId, topic, 0), 2n)
      const found = { 0: await readAll(kafka, topic, 0), 1: await readAll(kafka, topic, 1) }
      assert.deepEqual(textsOf(found[1]).filter((text) => text === 'x').length, 2)
      const told = textsOf(found[1]).filter((text) => text !== 'x')
      const [a = 0n, b, c, d] = found[0].map(({ offset }) => offset)
      const [x, , y] = found[1].map(({ offset }) => offset)
      assert.deepEqual(told, [`${a} ${x} ${b}`, `${c} ${y} ${d}`])
    },
  )

  promise('a producer opened again goes on where the one before ended', async (under, topic) => {
    const { kafka } = under
    const groupId = `group-${randomUUID()}`
    const reach = { ...reachOf(topic), groupId }
    for (const next of [1n, 2n, 3n]) {
      const producer = await kafka.openTransactional(`id-${topic}`, reach)
      assert.equal(await kafka.committedOffset(groupId, topic, 0), next - 1n)
      const offset = { groupId, topic, partition: 0, next }
      await producer.commit({ records: [record(topic, 0, String(next))], offsets: [offset] })
      await producer.close()
    }
    // A commit is answered before its markers are written.
    await until(
      'the last offset',
      async () => (await kafka.committedOffset(groupId, topic, 0)) === 3n,
    )
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0)), ['1', '2', '3'])
  })

  promise('a newer producer of an id fences the older', async ({ kafka }, topic) => {
    const older = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    await older.commit({ records: [record(topic, 0, 'older')] })
    const newer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    await assert.rejects(older.commit({ records: [record(topic, 0, 'zombie')] }), TransientError)
    await newer.commit({ records: [record(topic, 0, 'newer')] })
    await Promise.all([older.close(), newer.close()])
    assert.deepEqual(textsOf(await readAll(kafka, topic, 0)), ['older', 'newer'])
  })

  promise('a transaction larger than one request is still one', async ({ kafka }, topic) => {
    const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    const value = 'x'.repeat(200_000)
    const records = Array.from({ length: 12 }, () => record(topic, 0, value))
    await producer.commit({ records })
    await producer.close()
    assert.equal((await readAll(kafka, topic, 0)).length, 12)
  })

  promise(
    'a group gets every record once, in order, and goes on where it committed',
    async ({ kafka }, topic) => {
      const producer = await kafka.openProducer()
      const groupId = `group-${randomUUID()}`
      const seen: string[] = []
      const consumeSome = async (expected: number): Promise<void> => {
        const writer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
        const consumer = await kafka.consume({
          groupId,
          topic,
          onAssigned: () => undefined,
          async onBatch(batch) {
            if (batch.partition !== 0) return
            seen.push(...textsOf(batch.records))
            const last = (batch.records.at(-1) as ConsumedRecord).offset
            await writer.commit({
              records: [],
              offsets: [{ groupId, topic, partition: 0, next: last + 1n }],
            })
            batch.resolve(last)
          },
        })
        await until(`${expected} records`, () => seen.length >= expected)
        await consumer.stop()
        await consumer.finished
        await writer.close()
      }
      await producer.send(['a', 'b', 'c'].map((value) => record(topic, 0, value)))
      await consumeSome(3)
      await producer.send(['d', 'e'].map((value) => record(topic, 0, value)))
      await consumeSome(5)
      await producer.close()
      assert.deepEqual(seen, ['a', 'b', 'c', 'd', 'e'])
    },
  )

  promise('what is not resolved comes again, from where was sought', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    await producer.send(['a', 'b', 'c'].map((value) => record(topic, 0, value)))
    await producer.close()
    const batches: string[][] = []
    const consumer = await kafka.consume({
      groupId: `group-${randomUUID()}`,
      topic,
      onAssigned: () => undefined,
      async onBatch(batch) {
        batches.push(textsOf(batch.records))
        if (batches.length === 1) batch.seek(1n)
        else batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
        assert.equal(batch.isStale(), batches.length === 1)
      },
    })
    await until('the batch comes again', () => batches.length === 2)
    await consumer.stop()
    assert.deepEqual(batches, [
      ['a', 'b', 'c'],
      ['b', 'c'],
    ])
  })

  promise(
    'two members share the partitions and a leaver gives its own back',
    async ({ kafka }, topic) => {
      const groupId = `group-${randomUUID()}`
      const owned: (readonly number[])[] = [[], []]
      const join = (index: number): Promise<GroupConsumer> =>
        kafka.consume({
          groupId,
          topic,
          onAssigned: (partitions) => void (owned[index] = partitions),
          onBatch: async (batch: Batch) =>
            batch.resolve((batch.records.at(-1) as ConsumedRecord).offset),
        })
      const first = await join(0)
      await until('the first owns all', () => owned[0]?.length === 2)
      const second = await join(1)
      await until('each owns one', () => owned[0]?.length === 1 && owned[1]?.length === 1)
      assert.notDeepEqual(owned[0], owned[1])
      await second.stop()
      await until('the first owns all again', () => owned[0]?.length === 2)
      await first.stop()
    },
  )

  promise('the first so many partitions are read, and no other', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    await producer.send([record(topic, 1, 'left'), record(topic, 0, 'read')])
    await producer.close()
    const owned: (readonly number[])[] = []
    const got: string[] = []
    const consumer = await kafka.consume({
      groupId: `group-${randomUUID()}`,
      topic,
      partitions: new Map([[topic, 1]]),
      onAssigned: (partitions) => void owned.push(partitions),
      async onBatch(batch: Batch) {
        got.push(...textsOf(batch.records))
        batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
      },
    })
    await until('its record came', () => got.length > 0)
    await consumer.stop()
    assert.deepEqual(owned, [[0]])
    assert.deepEqual(got, ['read'])
  })

  promise('a topic alongside is read whole beside one that is not', async ({ kafka }, topic) => {
    const other = `${topic}-whole`
    await kafka.ensureTopics([{ name: other, partitions: 2, config: {} }])
    const producer = await kafka.openProducer()
    const places = [topic, other].flatMap((name) => [0, 1].map((at) => record(name, at, name)))
    await producer.send(places)
    await producer.close()
    const owned: (readonly number[])[] = []
    const got = new Set<string>()
    const consumer = await kafka.consume({
      groupId: `group-${randomUUID()}`,
      topic,
      alongside: [other],
      partitions: new Map([[topic, 1]]),
      onAssigned: (partitions) => void owned.push(partitions),
      async onBatch(batch: Batch) {
        got.add(`${batch.topic === topic} ${batch.partition}`)
        batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
      },
    })
    await until('their records came', () => got.size >= 3)
    await consumer.stop()
    assert.deepEqual(new Set(owned.at(-1)), new Set([0, 1]))
    assert.deepEqual([...got].sort(), ['false 0', 'false 1', 'true 0'])
  })

  promise(
    'topics alongside: three members own the same partitions of each, and get their records',
    async ({ kafka }, topic) => {
      const other = `${topic}-other`
      await kafka.ensureTopics([{ name: other, partitions: 2, config: {} }])
      const producer = await kafka.openProducer()
      const places = [topic, other].flatMap((name) => [0, 1].map((at) => record(name, at, 'x')))
      const groupId = `group-${randomUUID()}`
      const owned: (readonly number[])[] = [[], [], []]
      const got: Set<string>[] = [new Set(), new Set(), new Set()]
      const join = (index: number): Promise<GroupConsumer> =>
        kafka.consume({
          groupId,
          topic,
          alongside: [other],
          onAssigned: (partitions) => void (owned[index] = partitions),
          async onBatch(batch: Batch) {
            got[index]?.add(`${batch.topic === topic} ${batch.partition}`)
            batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
          },
        })
      const members = [await join(0), await join(1), await join(2)]
      const counts = () => owned.map(({ length }) => length).sort((a, b) => a - b)
      await until('two own one each', () => String(counts()) === '0,1,1')
      for (const set of got) set.clear()
      await producer.send(places)
      await producer.close()
      const seen = () => got.flatMap((set) => [...set])
      await until('each record came', () => new Set(seen()).size === 4)
      for (const [index, partitions] of owned.entries()) {
        const expected = partitions.flatMap((at) => [`false ${at}`, `true ${at}`])
        assert.deepEqual([...(got[index] ?? [])].sort(), expected.sort())
      }
      for (const member of members) await member.stop()
    },
  )

  promise(
    'a lookup finds what stands between two offsets, again and again',
    async (under, topic) => {
      const { kafka } = under
      const producer = await kafka.openProducer()
      await producer.send(['a', 'b', 'c', 'd'].map((value) => record(topic, 0, value)))
      await producer.send([record(topic, 1, 'e')])
      const lookup = kafka.openLookup(topic)
      assert.deepEqual(textsOf(await lookup.read(0, 1n, 3n)), ['b', 'c'])
      assert.deepEqual(textsOf(await lookup.read(1, 0n, 9n)), ['e'])
      assert.deepEqual(textsOf(await lookup.read(0, 4n, 4n)), [])
      await producer.send([record(topic, 0, 'f')])
      await producer.close()
      assert.deepEqual(textsOf(await lookup.read(0, 3n, 5n)), ['d', 'f'])
      await lookup.close()
    },
  )

  promise('a throw in onBatch ends the consumer with it', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    await producer.send([record(topic, 0, 'a')])
    await producer.close()
    const consumer = await kafka.consume({
      groupId: `group-${randomUUID()}`,
      topic,
      onAssigned: () => undefined,
      onBatch: () => Promise.reject(new TypeError('a bug')),
    })
    await assert.rejects(consumer.finished, /a bug/)
    await consumer.stop()
  })

  promise('follow hands over what stands there, then what comes', async ({ kafka }, topic) => {
    const producer = await kafka.openProducer()
    await producer.send([record(topic, 0, 'a'), record(topic, 1, 'b')])
    const fromStart: string[] = []
    const fromEnd: string[] = []
    const whole = kafka.follow(topic, (records) => fromStart.push(...textsOf(records)))
    const late = kafka.follow(topic, (records) => fromEnd.push(...textsOf(records)), {
      from: 'end',
    })
    await Promise.all([whole.caughtUp, late.caughtUp])
    assert.deepEqual(fromStart.toSorted(), ['a', 'b'])
    await producer.send([record(topic, 0, 'c')])
    await until('the new record', () => fromStart.length === 3 && fromEnd.length === 1)
    await Promise.all([whole.stop(), late.stop(), producer.close()])
    assert.deepEqual(fromEnd, ['c'])
  })

  promise('no reader sees an aborted record, also between committed ones', async (under, topic) => {
    const { kafka, begin } = under
    if (begin === undefined) return
    const abort = async (records: readonly OutgoingRecord[]): Promise<void> =>
      (await begin(`abort-${topic}`, records)).abort()
    const producer = await kafka.openTransactional(`id-${topic}`, reachOf(topic))
    const followed: string[] = []
    const follower = kafka.follow(topic, (records) => followed.push(...textsOf(records)))
    await producer.commit({ records: [record(topic, 0, 'a')] })
    await abort([record(topic, 0, 'no'), record(topic, 0, 'no')])
    await producer.commit({ records: [record(topic, 0, 'b')] })
    await abort([record(topic, 0, 'no')])
    await producer.close()
    const consumed: string[] = []
    const consumer = await kafka.consume({
      groupId: `group-${randomUUID()}`,
      topic,
      onAssigned: () => undefined,
      async onBatch(batch) {
        consumed.push(...textsOf(batch.records))
        batch.resolve((batch.records.at(-1) as ConsumedRecord).offset)
      },
    })
    await until('both readers are there', () => consumed.length >= 2 && followed.length >= 2)
    await Promise.all([consumer.stop(), follower.stop()])
    for (const texts of [textsOf(await readAll(kafka, topic, 0)), followed, consumed]) {
      assert.deepEqual(texts, ['a', 'b'])
    }
  })
}

export async function readAll(
  kafka: Kafka,
  topic: string,
  partition: number,
  from?: bigint,
): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = []
  for await (const records of kafka.read(topic, partition, from)) found.push(...records)
  return found
}

const reachOf = (topic: string) => ({
  partitions: [0, 1].map((partition) => ({ topic, partition })),
})

const record = (topic: string, partition: number, value: string): OutgoingRecord => ({
  topic,
  partition,
  key: 'key',
  value: Buffer.from(value),
})
const textsOf = (records: readonly ConsumedRecord[]): string[] =>
  records.map(({ value }) => value?.toString() ?? 'null')
