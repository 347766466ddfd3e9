// Which dead letters are there, and what was done with each?
import { parseDeadLetter, type ConsumedRecord, type Kafka } from '@churnstream/runtime'
import { DecodeProblem, Decoder, type DeadLetterReceipt, type Schemas } from '@churnstream/schemas'
import {
  clusterTopics,
  consumedTopics,
  deadLetterReceipts,
  deadLetterTopic,
  type ClusterTopic,
} from '@churnstream/topology'
import { placeText, type Letter } from './core/letter.ts'

const causePrefix = 'dlq.'

const usedNames = [
  ...consumedTopics.flatMap((topic) => [topic.name, deadLetterTopic(topic)]),
  deadLetterReceipts.name,
]

/** Of the cluster's topics those that the command reads or writes. */
export const usedTopics: readonly ClusterTopic[] = clusterTopics().filter(({ name }) =>
  usedNames.includes(name),
)

/** In the order in which they were set aside, partition by partition. */
export async function readLetters(
  kafka: Kafka,
  schemas: Pick<Schemas, 'prepare'>,
): Promise<Letter[]> {
  const receipts = await readReceipts(kafka, schemas)
  const letters: Letter[] = []
  for (const topic of consumedTopics) {
    const name = deadLetterTopic(topic)
    for (let partition = 0; partition < topic.partitions; partition++) {
      for await (const records of kafka.read(name, partition)) {
        for (const record of records) letters.push(toLetter(name, partition, record, receipts))
      }
    }
  }
  return letters
}

/** Newest of each letter, by its place. */
export async function readReceipts(
  kafka: Kafka,
  schemas: Pick<Schemas, 'prepare'>,
): Promise<Map<string, DeadLetterReceipt>> {
  const decoder = new Decoder('dead-letter-receipt')
  const receipts = new Map<string, DeadLetterReceipt>()
  for await (const records of kafka.read(deadLetterReceipts.name, 0)) {
    await schemas.prepare(
      decoder,
      records.map(({ value }) => value),
    )
    for (const { value, offset } of records) {
      const receipt = decoder.decode(value)
      if (receipt instanceof DecodeProblem) {
        throw new Error(`${deadLetterReceipts.name}-0@${offset} is no receipt: ${receipt.detail}`)
      }
      receipts.set(placeText(receipt), receipt)
    }
  }
  return receipts
}

function toLetter(
  topic: string,
  partition: number,
  record: ConsumedRecord,
  receipts: ReadonlyMap<string, DeadLetterReceipt>,
): Letter {
  const place = { topic, partition, offset: Number(record.offset) }
  const own = Object.entries(record.headers).filter(([name]) => !name.startsWith(causePrefix))
  return {
    ...place,
    cause: parseDeadLetter(record),
    key: record.key,
    value: record.value,
    headers: Object.fromEntries(own),
    receipt: receipts.get(placeText(place)),
  }
}
