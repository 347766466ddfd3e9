// npm run bench -- records: what do our record batches cost beside those of kafkajs?
import { decodeRecordBatches, encodeRecordBatch } from '@churnstream/runtime/kafkajs'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const stockRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
const { RecordBatch: stockBatch } = require('kafkajs/src/protocol/recordBatch/v0')
const stockDecode = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const StockDecoder = require('kafkajs/src/protocol/decoder')

const batchRecords = 1_000
const batchesPerRound = 100
const rounds = 15
const nowMs = 1_790_000_000_000

const records = Array.from({ length: batchRecords }, (_, index) => ({
  key: `player-${index * 7_919}`,
  value: Buffer.alloc(100 + (index % 60), index),
  timestampMs: nowMs + index,
}))

const work = {
  'encode, kafkajs': async () =>
    stockBatch({
      records: records.map(({ key, value, timestampMs }, offsetDelta) =>
        stockRecord({ key, value, offsetDelta, timestampDelta: timestampMs - nowMs }),
      ),
      firstTimestamp: nowMs,
      maxTimestamp: nowMs + batchRecords - 1,
      producerId: '1',
      transactional: true,
      lastOffsetDelta: batchRecords - 1,
    }),
  'encode, ours': async () => encode(),
  'decode, kafkajs': async () => stockDecode(new StockDecoder(encoded)),
  'decode, ours': () => decodeRecordBatches(encoded, async (_, bytes) => bytes),
} satisfies Record<string, () => Promise<unknown>>

const encode = () =>
  encodeRecordBatch(records, {
    producerId: 1n,
    producerEpoch: 0,
    baseSequence: 0,
    isTransactional: true,
    nowMs,
  })
const encoded = encode()

/** Taken in turns, so that what else runs on the machine meets all alike; the best of the rounds counts. */
export async function benchRecords(options: {
  readonly signal: AbortSignal
}): Promise<Record<string, number | string>> {
  const best = new Map<string, number>()
  for (let round = 0; round < rounds; round++) {
    for (const [name, once] of Object.entries(work)) {
      options.signal.throwIfAborted()
      const before = process.cpuUsage()
      for (let batch = 0; batch < batchesPerRound; batch++) await once()
      const { user, system } = process.cpuUsage(before)
      const perRecord = (user + system) / (batchesPerRound * batchRecords)
      best.set(name, Math.min(perRecord, best.get(name) ?? Infinity))
    }
  }
  const figures: Record<string, number | string> = {}
  for (const [name, microseconds] of best) {
    figures[`${name}: processor microseconds a record`] = Math.round(microseconds * 1_000) / 1_000
  }
  for (const kind of ['encode', 'decode']) {
    const ratio = (best.get(`${kind}, kafkajs`) as number) / (best.get(`${kind}, ours`) as number)
    figures[`${kind}: kafkajs / ours`] = Math.round(ratio * 10) / 10
  }
  return figures
}
