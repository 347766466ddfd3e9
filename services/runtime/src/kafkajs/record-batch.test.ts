// Are our record batches those of Kafka's format, byte by byte, and read back whole?
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { crc32c } from '@node-rs/crc32'
import type { OutgoingRecord } from '../kafka.ts'
import { decodeRecordBatches, encodeRecordBatch, type BatchOptions } from './record-batch.ts'

type Unsent = Pick<OutgoingRecord, 'key' | 'value' | 'headers' | 'timestampMs'>

/** kafkajs' own modules: nothing in this process replaces them. */
const require = createRequire(import.meta.url)
const stockRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
const { RecordBatch: stockBatch } = require('kafkajs/src/protocol/recordBatch/v0')

const options: BatchOptions = {
  producerId: 4_000_000_000_123n,
  producerEpoch: 7,
  baseSequence: 2_147_483_000,
  isTransactional: true,
  nowMs: 1_790_000_000_000,
}
const noCodec = async (): Promise<Buffer> => assert.fail('it is not compressed')
const countAt = 57
const recordsAt = 61

async function stockEncoded(records: readonly Unsent[]): Promise<Buffer> {
  const times = records.map(({ timestampMs = options.nowMs }) => timestampMs)
  const [firstTimestamp, maxTimestamp] = [Math.min(...times), Math.max(...times)]
  const encoder = await stockBatch({
    records: records.map(({ key, value, headers }, offsetDelta) =>
      stockRecord({
        key,
        value,
        headers,
        offsetDelta,
        timestampDelta: (times[offsetDelta] as number) - firstTimestamp,
      }),
    ),
    firstTimestamp,
    maxTimestamp,
    producerId: String(options.producerId),
    producerEpoch: options.producerEpoch,
    firstSequence: options.baseSequence,
    transactional: options.isTransactional,
    lastOffsetDelta: records.length - 1,
  })
  return encoder.buffer
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const record: fc.Arbitrary<Unsent> = fc.record(
  {
    key: fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme' }), bytes),
    value: fc.oneof(fc.constant(null), bytes),
    headers: fc.dictionary(fc.string({ maxLength: 9 }), fc.oneof(bytes, fc.string()), {
      noNullPrototype: true,
    }),
    timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
  },
  { requiredKeys: ['key', 'value'] },
)
const records = fc.array(record, { minLength: 1, maxLength: 40 })

test('encodeRecordBatch - the bytes are those of the stock encoder', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (all) => {
      assert.deepEqual(encodeRecordBatch(all, options), await stockEncoded(all))
    }),
    { seed: 1, numRuns: 300 },
  )
})

test('decodeRecordBatches - gives back what was encoded, batch after batch', async () => {
  await fc.assert(
    fc.asyncProperty(records, records, async (first, second) => {
      const encoded = [first, second].map((all) => encodeRecordBatch(all, options))
      encoded[1]?.writeBigInt64BE(2n ** 53n, 0)
      const batches = await decodeRecordBatches(Buffer.concat(encoded), noCodec)
      assert.equal(batches.length, 2)
      for (const [index, all] of [first, second].entries()) {
        const base = index === 0 ? 0n : 2n ** 53n
        const batch = batches[index]
        assert.deepEqual(
          batch?.records,
          all.map(({ key, value, headers = {}, timestampMs = options.nowMs }, at) => ({
            offset: base + BigInt(at),
            timestampMs,
            key: key === null ? null : Buffer.from(key),
            value,
            headers: Object.fromEntries(
              Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes)]),
            ),
          })),
        )
        assert.equal(batch?.lastOffset, base + BigInt(all.length - 1))
        assert.deepEqual(
          [batch?.producerId, batch?.isTransactional, batch?.ends],
          [options.producerId, true, undefined],
        )
      }
    }),
    { seed: 2, numRuns: 200 },
  )
})

const one: Unsent = { key: 'ada', value: Buffer.from('scored '.repeat(50)) }

/** The batch as somebody else may have written it. */
function changed(change: (batch: Buffer) => Buffer): Buffer {
  const batch = change(encodeRecordBatch([one, one], options))
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

test('decodeRecordBatches - a batch that is cut off waits for the next fetch', async () => {
  const batch = encodeRecordBatch([one], options)
  for (const length of [0, 20, recordsAt, batch.length - 1]) {
    const cut = Buffer.concat([batch, batch.subarray(0, length)])
    assert.equal((await decodeRecordBatches(cut, noCodec)).length, 1)
  }
})

test('decodeRecordBatches - damaged bytes are refused, whichever they are', async () => {
  const batch = encodeRecordBatch([one], options)
  for (let at = 17; at < batch.length; at += 13) {
    const damaged = Buffer.from(batch)
    damaged[at] = (damaged[at] as number) ^ 0x10
    await assert.rejects(decodeRecordBatches(damaged, noCodec), /offset 0 is damaged/)
  }
  const cut = changed((whole) => Buffer.from(whole.subarray(0, whole.length - 4)))
  await assert.rejects(decodeRecordBatches(cut, noCodec), /a record .* is cut off/)
  const old = Buffer.from(batch)
  old[16] = 1
  await assert.rejects(decodeRecordBatches(old, noCodec), /message format 1, older than Kafka 0.11/)
})

test('decodeRecordBatches - a compressed batch, and one with the time of the broker', async () => {
  const packed = changed((batch) => {
    batch.writeInt16BE(1, 21)
    return Buffer.concat([batch.subarray(0, recordsAt), gzipSync(batch.subarray(recordsAt))])
  })
  const [unpacked] = await decodeRecordBatches(packed, async (codec, bytes) => {
    assert.equal(codec, 1)
    return gunzipSync(bytes)
  })
  assert.deepEqual(
    unpacked?.records.map(({ value }) => value),
    [one.value, one.value],
  )
  assert.equal(unpacked?.isTransactional, false)

  const appended = changed((batch) => {
    batch.writeInt16BE(0x08, 21)
    batch.writeBigInt64BE(1_800_000_000_000n, 35)
    return batch
  })
  const [batch] = await decodeRecordBatches(appended, noCodec)
  assert.deepEqual(
    batch?.records.map(({ timestampMs }) => timestampMs),
    [1_800_000_000_000, 1_800_000_000_000],
  )
})

test('decodeRecordBatches - markers tell how a transaction ended; compaction may leave no record', async () => {
  for (const [type, ends] of [
    [0, 'abort'],
    [1, 'commit'],
  ] as const) {
    const marker = encodeRecordBatch([{ key: Buffer.from([0, 0, 0, type]), value: null }], options)
    marker.writeInt16BE(0x30, 21)
    marker.writeUInt32BE(crc32c(marker.subarray(21)), 17)
    assert.equal((await decodeRecordBatches(marker, noCodec))[0]?.ends, ends)
  }
  const emptied = changed((batch) => {
    batch.writeInt32BE(0, countAt)
    return Buffer.from(batch.subarray(0, recordsAt))
  })
  const [batch] = await decodeRecordBatches(emptied, noCodec)
  assert.deepEqual([batch?.records, batch?.lastOffset], [[], 1n])
})
