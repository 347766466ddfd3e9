// What does a record look like that could not be processed?
import type { DeadLetter } from '@churnstream/schemas'
import { deadLetterTopic } from '@churnstream/topology'
import type { ConsumedRecord, OutgoingRecord } from './kafka.ts'

const prefix = 'dlq.'
const maxDetailChars = 1_000

/** Original key, value and headers, and each field of dead-letter.avsc as a header dlq.<field>. */
export function toDeadLetter(
  record: ConsumedRecord,
  cause: Pick<DeadLetter, 'reason' | 'detail' | 'service' | 'topic' | 'partition'>,
): OutgoingRecord {
  const fields: Record<keyof DeadLetter, string> = {
    reason: cause.reason,
    detail: cause.detail.slice(0, maxDetailChars),
    service: cause.service,
    topic: cause.topic,
    partition: String(cause.partition),
    offset: String(record.offset),
    timestamp: String(record.timestampMs),
  }
  const headers: Record<string, Buffer | string> = { ...record.headers }
  for (const [name, text] of Object.entries(fields)) headers[prefix + name] = text
  return {
    topic: deadLetterTopic({ name: cause.topic }),
    partition: cause.partition,
    key: record.key,
    value: record.value,
    headers,
    timestampMs: record.timestampMs,
  }
}

/** The cause that a dead letter's headers tell. @throws Error when a header is missing */
export function parseDeadLetter(record: ConsumedRecord): DeadLetter {
  const text = (name: keyof DeadLetter): string => {
    const header = record.headers[prefix + name]
    if (header === undefined) {
      throw new Error(`offset ${record.offset} has no header ${prefix}${name}: not a dead letter`)
    }
    return header.toString('utf8')
  }
  return {
    reason: text('reason'),
    detail: text('detail'),
    service: text('service'),
    topic: text('topic'),
    partition: Number(text('partition')),
    offset: Number(text('offset')),
    timestamp: Number(text('timestamp')),
  }
}
