// How does a record of kafkajs look in our port?
import type { KafkaMessage } from 'kafkajs'
import type { ConsumedRecord, Headers } from '../kafka.ts'

/** Keys, values and headers are slices of the fetched bytes: copy what is kept. */
export function toConsumed(message: KafkaMessage): ConsumedRecord {
  return {
    offset: BigInt(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: (message.headers ?? {}) as Headers,
  }
}
