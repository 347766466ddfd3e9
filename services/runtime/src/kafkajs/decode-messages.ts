// How does kafkajs get the record set of a fetch in our form?
import { decodeRecordBatches, type RecordBatch } from './record-batch.ts'

/** The part of kafkajs' Decoder that stands before a record set. */
interface Decoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
}

/** kafkajs' codecs, by the number that a batch names. */
export interface Compression {
  lookupCodecByAttributes(codec: number): { decompress(bytes: Buffer): Promise<Buffer> } | null
}

/** Makes what takes the place of kafkajs' protocol/requests/fetch/v4/decodeMessages.js. */
export function createDecodeMessages(compression: Compression) {
  const decompress = async (number: number, bytes: Buffer): Promise<Buffer> => {
    const codec = compression.lookupCodecByAttributes(number)
    if (codec === null) throw new Error(`there is no codec ${number} to decompress a batch with`)
    return codec.decompress(bytes)
  }
  return async function decodeMessages(decoder: Decoder): Promise<RecordBatch[]> {
    const size = decoder.readInt32()
    if (size <= 0 || !decoder.canReadBytes(size)) return []
    return decodeRecordBatches(decoder.readBytes(size), decompress)
  }
}
