// How do records become the bytes of a record batch, and bytes records again?
import { crc32c } from '@node-rs/crc32'
import type { ConsumedRecord, Headers, OutgoingRecord } from '../kafka.ts'

/** Where the fields of a record batch of magic 2 stand; https://kafka.apache.org/documentation/#recordbatch */
const at = {
  baseOffset: 0,
  length: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const
/** What `length` does not count: itself and the base offset. */
const lengthOverhead = 12
const magic = 2
const codecMask = 0x07
const appendTimeFlag = 0x08
const transactionalFlag = 0x10
const controlFlag = 0x20

export interface RecordBatch {
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** Of the last record that was ever in it: compaction takes records out and leaves the batch. */
  readonly lastOffset: bigint
  /** Of a control batch, whose one record is the end of a transaction. */
  readonly ends: 'abort' | 'commit' | undefined
  readonly records: readonly ConsumedRecord[]
}

export type Decompress = (codec: number, bytes: Buffer) => Promise<Buffer>

/**
 * The whole batches of a fetched record set; what is left over at its end is part of one. Keys,
 * values and headers are slices of the fetched bytes: copy what is kept. Of headers with the same
 * name the last is taken.
 * @throws Error when bytes are not what their writer wrote
 */
export async function decodeRecordBatches(
  bytes: Buffer,
  decompress: Decompress,
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = []
  for (let start = 0; start + at.records <= bytes.length;) {
    const end = start + lengthOverhead + bytes.readInt32BE(start + at.length)
    if (end > bytes.length) break
    batches.push(await decodeRecordBatch(bytes.subarray(start, end), decompress))
    start = end
  }
  return batches
}

async function decodeRecordBatch(bytes: Buffer, decompress: Decompress): Promise<RecordBatch> {
  const baseOffset = bytes.readBigInt64BE(at.baseOffset)
  if (bytes[at.magic] !== magic) {
    throw new Error(
      `offset ${baseOffset} is in message format ${bytes[at.magic]}, older than Kafka 0.11: ` +
        'copy the topic with a newer producer',
    )
  }
  if (crc32c(bytes.subarray(at.attributes)) !== bytes.readUInt32BE(at.crc)) {
    throw new Error(`the batch at offset ${baseOffset} is damaged: its checksum differs`)
  }
  const attributes = bytes.readInt16BE(at.attributes)
  const codec = attributes & codecMask
  const count = bytes.readInt32BE(at.count)
  const packed = bytes.subarray(at.records)
  const unpacked = codec === 0 || count === 0 ? packed : await decompress(codec, packed)
  const isAppendTime = (attributes & appendTimeFlag) !== 0
  const records = new RecordReader(unpacked, {
    baseOffset,
    baseTimestampMs: Number(bytes.readBigInt64BE(at.baseTimestamp)),
    appendedAtMs: isAppendTime ? Number(bytes.readBigInt64BE(at.maxTimestamp)) : undefined,
  }).read(count)
  return {
    producerId: bytes.readBigInt64BE(at.producerId),
    isTransactional: (attributes & transactionalFlag) !== 0,
    lastOffset: baseOffset + BigInt(bytes.readInt32BE(at.lastOffsetDelta)),
    ends: (attributes & controlFlag) === 0 ? undefined : endOf(records[0]),
    records,
  }
}

/** A control record's key is version int16, type int16; type 0 is abort, 1 is commit. */
const endOf = (control: ConsumedRecord | undefined): 'abort' | 'commit' =>
  control?.key?.readInt16BE(2) === 0 ? 'abort' : 'commit'

const noHeaders: Headers = Object.freeze({})

class RecordReader {
  readonly #bytes: Buffer
  readonly #base: bigint
  readonly #baseTimestampMs: number
  readonly #appendedAtMs: number | undefined
  #at = 0

  constructor(
    bytes: Buffer,
    base: {
      readonly baseOffset: bigint
      readonly baseTimestampMs: number
      readonly appendedAtMs: number | undefined
    },
  ) {
    this.#bytes = bytes
    this.#base = base.baseOffset
    this.#baseTimestampMs = base.baseTimestampMs
    this.#appendedAtMs = base.appendedAtMs
  }

  read(count: number): ConsumedRecord[] {
    const records: ConsumedRecord[] = []
    for (let index = 0; index < count; index++) records.push(this.#record())
    return records
  }

  #record(): ConsumedRecord {
    const length = this.#varint()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) {
      throw new Error(`a record of the batch at offset ${this.#base} is cut off`)
    }
    this.#at++ // attributes, unused
    const timestampMs = this.#baseTimestampMs + this.#varlong()
    const offset = this.#base + BigInt(this.#varint())
    const key = this.#slice()
    const value = this.#slice()
    const headers = this.#headers()
    this.#at = end
    return { offset, timestampMs: this.#appendedAtMs ?? timestampMs, key, value, headers }
  }

  #headers(): Headers {
    const count = this.#varint()
    if (count === 0) return noHeaders
    const headers: [string, Buffer][] = []
    for (let index = 0; index < count; index++) {
      headers.push([String(this.#slice()), this.#slice() ?? Buffer.alloc(0)])
    }
    // Unlike assignment, this takes __proto__ for a name like any other.
    return Object.fromEntries(headers)
  }

  #slice(): Buffer | null {
    const length = this.#varint()
    if (length < 0) return null
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  /** Zigzag, of up to 32 bits. */
  #varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++] as number
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[this.#at++] as number
      value |= (byte & 0x7f) << shift
    }
    return (value >>> 1) ^ -(value & 1)
  }

  /** Zigzag, exact up to 53 bits. */
  #varlong(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++] as number
    let value = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = bytes[this.#at++] as number
      value += (byte & 0x7f) * scale
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

export interface BatchOptions {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of the first record; the others count on from it. */
  readonly baseSequence: number
  readonly isTransactional: boolean
  /** For records without a timestamp. */
  readonly nowMs: number
}

type Unsent = Pick<OutgoingRecord, 'key' | 'value' | 'headers' | 'timestampMs'>

/** One batch of all the records, not compressed: one buffer, header and checksum written once. */
export function encodeRecordBatch(records: readonly Unsent[], options: BatchOptions): Buffer {
  const { nowMs } = options
  let firstMs = Infinity
  let lastMs = -Infinity
  for (const { timestampMs = nowMs } of records) {
    if (timestampMs < firstMs) firstMs = timestampMs
    if (timestampMs > lastMs) lastMs = timestampMs
  }
  const writer = new RecordWriter(records)
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as Unsent
    writer.write(record, index, (record.timestampMs ?? nowMs) - firstMs)
  }
  const batch = writer.written
  batch.writeBigInt64BE(0n, at.baseOffset)
  batch.writeInt32BE(batch.length - lengthOverhead, at.length)
  batch.writeInt32BE(0, at.length + 4) // leader epoch, the broker's to know
  batch[at.magic] = magic
  batch.writeInt16BE(options.isTransactional ? transactionalFlag : 0, at.attributes)
  batch.writeInt32BE(records.length - 1, at.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(firstMs), at.baseTimestamp)
  batch.writeBigInt64BE(BigInt(lastMs), at.maxTimestamp)
  batch.writeBigInt64BE(options.producerId, at.producerId)
  batch.writeInt16BE(options.producerEpoch, at.producerEpoch)
  batch.writeInt32BE(options.baseSequence, at.baseSequence)
  batch.writeInt32BE(records.length, at.count)
  batch.writeUInt32BE(crc32c(batch.subarray(at.attributes)), at.crc)
  return batch
}

/** Lengths, deltas and attributes of a record without headers take no more. */
const mostOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 5
/** The same of a header. */
const mostHeaderOverhead = 5 + 5
/** UTF-8 takes no more for a unit of UTF-16. */
const mostBytesPerUnit = 3

const mostBytesOf = (value: Buffer | string | null): number =>
  value === null ? 0 : typeof value === 'string' ? value.length * mostBytesPerUnit : value.length

/** Writes into one buffer that is large enough for all. */
class RecordWriter {
  readonly #bytes: Buffer
  #at = at.records as number

  constructor(records: readonly Unsent[]) {
    let most = at.records as number
    for (const { key, value, headers } of records) {
      most += mostOverhead + mostBytesOf(key) + mostBytesOf(value)
      if (headers === undefined) continue
      for (const name in headers) {
        const value = headers[name] as Buffer | string
        most += mostHeaderOverhead + mostBytesOf(name) + mostBytesOf(value)
      }
    }
    this.#bytes = Buffer.allocUnsafe(most)
  }

  get written(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** The body first, behind room for the longest length; then it moves up to its length. */
  write({ key, value, headers }: Unsent, offsetDelta: number, timestampDelta: number): void {
    const start = this.#at
    const body = start + 5
    this.#at = body
    this.#bytes[this.#at++] = 0 // attributes, unused
    this.#varlong(timestampDelta)
    this.#varint(offsetDelta)
    this.#put(key)
    this.#put(value)
    if (headers === undefined) this.#bytes[this.#at++] = 0
    else this.#headers(headers)
    const end = this.#at
    this.#at = start
    this.#varint(end - body)
    this.#bytes.copyWithin(this.#at, body, end)
    this.#at += end - body
  }

  #headers(headers: NonNullable<OutgoingRecord['headers']>): void {
    const entries = Object.entries(headers)
    this.#varint(entries.length)
    for (const [name, value] of entries) {
      this.#put(name)
      this.#put(value)
    }
  }

  #put(value: Buffer | string | null): void {
    if (value === null) {
      this.#varint(-1)
    } else if (typeof value === 'string') {
      const length = Buffer.byteLength(value)
      this.#varint(length)
      this.#at += this.#bytes.write(value, this.#at, length, 'utf8')
    } else {
      this.#varint(value.length)
      this.#bytes.set(value, this.#at)
      this.#at += value.length
    }
  }

  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#at++] = rest
  }

  /** Of a number that is not negative, up to 53 bits. */
  #varlong(value: number): void {
    let rest = value * 2
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }
}
