// How is a produce request written without an object for each record?
import type { OutgoingRecord } from '../kafka.ts'
import { encodeRecordBatch } from './record-batch.ts'

/** The part of kafkajs' Encoder that a request needs. */
interface Encoder {
  writeString(value: string | null): this
  writeInt16(value: number): this
  writeInt32(value: number): this
  writeBuffer(value: Buffer): this
}

interface ProduceRequest {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  readonly producerId?: string | number | bigint
  readonly producerEpoch?: number
  readonly compression?: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence?: number
      readonly messages: readonly OutgoingRecord[]
    }[]
  }[]
}

const produceKey = 0
const requestOverheadBytes = 1_024
const noProducerId = -1

/** Makes what takes the place of kafkajs' protocol/requests/produce/v3/request.js; later versions call it. */
export function createProduceRequest({ Encoder }: { Encoder: new (size: number) => Encoder }) {
  return function produce(request: ProduceRequest) {
    const { acks, timeout, transactionalId = null, topicData } = request
    const { producerId = noProducerId, producerEpoch = 0 } = request
    if (request.compression) throw new TypeError('our producers do not compress')
    return {
      apiKey: produceKey,
      apiVersion: 3,
      apiName: 'Produce',
      expectResponse: () => acks !== 0,
      async encode(): Promise<Encoder> {
        const nowMs = Date.now()
        const topics = topicData.map(({ topic, partitions }) => ({
          topic,
          batches: partitions.map(({ partition, firstSequence = 0, messages }) => ({
            partition,
            batch: encodeRecordBatch(messages, {
              producerId: BigInt(producerId),
              producerEpoch,
              baseSequence: firstSequence,
              isTransactional: transactionalId !== null,
              nowMs,
            }),
          })),
        }))
        const bytes = topics.flatMap(({ batches }) => batches.map(({ batch }) => batch.length))
        const encoder = new Encoder(bytes.reduce((sum, size) => sum + size, requestOverheadBytes))
        encoder.writeString(transactionalId).writeInt16(acks).writeInt32(timeout)
        encoder.writeInt32(topics.length)
        for (const { topic, batches } of topics) {
          encoder.writeString(topic).writeInt32(batches.length)
          for (const { partition, batch } of batches) {
            encoder.writeInt32(partition).writeInt32(batch.length).writeBuffer(batch)
          }
        }
        return encoder
      },
    }
  }
}
