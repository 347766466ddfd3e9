// What was asked for a player, and how far has it come?
import { partitionOf, type Kafka } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  privacyRequestProblem,
  type PrivacyRequest,
  type Schemas,
} from '@churnstream/schemas'
import { readConfirmations, type Confirmed } from '@churnstream/replay'
import { topics } from '@churnstream/topology'

export const partitionOfPlayer = (playerId: string): number =>
  partitionOf(playerId, topics.privacyRequests.partitions)

/** The place of the last confirmation of a request. */
export const everywhere = 'all'

export interface Standing {
  readonly request: PrivacyRequest
  readonly confirmations: readonly Confirmed[]
}

/** Oldest first. Those that features sets aside are left out. */
export async function standingOf(
  kafka: Kafka,
  schemas: Pick<Schemas, 'prepare'>,
  playerId: string,
): Promise<Standing[]> {
  const partition = partitionOfPlayer(playerId)
  const confirmations = await readConfirmations(kafka, schemas, partition)
  const decoder = new Decoder(topics.privacyRequests.record)
  const standing: Standing[] = []
  for await (const records of kafka.read(topics.privacyRequests.name, partition)) {
    await schemas.prepare(
      decoder,
      records.map(({ value }) => value),
    )
    for (const { key, value } of records) {
      const request = decoder.decode(value)
      if (request instanceof DecodeProblem || request.playerId !== playerId) continue
      if (privacyRequestProblem(request, key?.toString()) !== undefined) continue
      const own = confirmations.filter(({ requestId }) => requestId === request.requestId)
      standing.push({ request, confirmations: own })
    }
  }
  return standing
}

export const confirmedBy = ({ confirmations }: Standing, place: string): Confirmed | undefined =>
  confirmations.find((one) => one.place === place)
