// Whose activity is forgotten, and up to which offset?
import type { Kafka } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  type PrivacyConfirmation,
  type Schemas,
} from '@churnstream/schemas'
import { topics } from '@churnstream/topology'

const topic = topics.privacyConfirmations

export interface Confirmed extends PrivacyConfirmation {
  readonly confirmedAt: number
}

/** Of one partition, in order; without them nothing may be folded again. */
export async function readConfirmations(
  kafka: Kafka,
  schemas: Pick<Schemas, 'prepare'>,
  partition: number,
): Promise<Confirmed[]> {
  const decoder = new Decoder(topic.record)
  const confirmations: Confirmed[] = []
  for await (const records of kafka.read(topic.name, partition)) {
    await schemas.prepare(
      decoder,
      records.map(({ value }) => value),
    )
    for (const { value, offset, timestampMs } of records) {
      const confirmation = decoder.decode(value)
      if (confirmation instanceof DecodeProblem) {
        const where = `${topic.name}-${partition}@${offset}`
        throw new Error(`${where} is no confirmation: ${confirmation.detail}`)
      }
      confirmations.push({ ...confirmation, confirmedAt: timestampMs })
    }
  }
  return confirmations
}

/** Of a partition's erased players the offset at which a new life may begin. */
export function erasedUntil(
  confirmations: readonly PrivacyConfirmation[],
): ReadonlyMap<string, number> {
  const until = new Map<string, number>()
  for (const { playerId, untilOffset } of confirmations) {
    until.set(playerId, Math.max(untilOffset, until.get(playerId) ?? 0))
  }
  return until
}
