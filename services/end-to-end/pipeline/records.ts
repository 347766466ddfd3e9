// How are the records of a topic watched as they become visible?
import { messageOf, type Kafka } from '@churnstream/runtime'
import {
  DecodeProblem,
  Decoder,
  type RecordName,
  type Records,
  type Schemas,
} from '@churnstream/schemas'
import type { Topic } from '@churnstream/topology'

export interface Watching {
  /** Resolves when what stood there at the start has been taken. */
  readonly caughtUp: Promise<void>
  stop(): Promise<void>
}

export interface Place {
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  /** By performance.now(), before it was decoded. */
  readonly seenAt: number
}

/** In the order of each partition; what cannot be read is for the services that must act on it. */
export function watchRecords<N extends RecordName>(
  { kafka, schemas }: { readonly kafka: Kafka; readonly schemas: Schemas },
  topic: Topic<N>,
  take: (value: Records[N], place: Place) => void,
  options: { readonly onFailure: (message: string) => void; readonly from?: 'start' | 'end' },
): Watching {
  const { onFailure, from = 'start' } = options
  const decoder = new Decoder<N>(topic.record)
  const fail = (error: unknown) => onFailure(`reading ${topic.name}: ${messageOf(error)}`)
  let taking: Promise<void> = Promise.resolve()
  const follower = kafka.follow(
    topic.name,
    (records, partition) => {
      const seenAt = performance.now()
      taking = taking.then(async () => {
        await schemas.prepare(
          decoder,
          records.flatMap(({ value }) => (value === null ? [] : [value])),
        )
        for (const { key, value, offset } of records) {
          const record = value === null ? undefined : decoder.decode(value)
          if (record === undefined || record instanceof DecodeProblem) continue
          take(record, { partition, offset, key, seenAt })
        }
      })
      taking.catch(fail)
    },
    { from },
  )
  follower.finished.catch(fail)
  return {
    caughtUp: follower.caughtUp.then(() => taking),
    async stop() {
      await follower.stop()
      await taking
    },
  }
}
