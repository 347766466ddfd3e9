// When must a consumer end, and when must it wait?

/** What kafkajs' consumer/consumerGroup tells of a fetch that the broker refused. */
interface OutOfRange {
  readonly topic: string
  readonly partition: number
}

/** The part of kafkajs' consumer/consumerGroup that answers it. */
export interface ConsumerGroup {
  readonly groupId: string
  recoverFromOffsetOutOfRange(refused: OutOfRange): Promise<void>
}

type ErrorClass = new (message: string) => Error & { retriable: boolean }

/** The part of kafkajs' errors that decides it. */
export interface Errors {
  KafkaJSError: ErrorClass
  KafkaJSNonRetriableError: ErrorClass
  KafkaJSGroupCoordinatorNotFound: ErrorClass
}

/**
 * kafkajs commits the topic's first offset instead and goes on, so that records which retention took
 * before the group had done them are lost and nobody hears of it. Here the consumer ends, and says so.
 */
export function endWhenOutOfRange(
  consumerGroup: { prototype: ConsumerGroup },
  { KafkaJSNonRetriableError }: Errors,
): void {
  consumerGroup.prototype.recoverFromOffsetOutOfRange = async function ({ topic, partition }) {
    throw new KafkaJSNonRetriableError(
      `the next record of group ${this.groupId} in ${topic}-${partition} is gone: retention took it ` +
        'before it was done, or the topic was made anew. To go on with the first record there is, ' +
        'stop the service and run kafka-consumer-groups.sh --reset-offsets --to-earliest ' +
        `--group ${this.groupId} --topic ${topic}:${partition} --execute`,
    )
  }
}

/**
 * kafkajs takes it for final when no broker at all could be asked for the group's coordinator, and
 * ends the consumer. They are away: it has to start again until one answers. To be called before
 * cluster/index.js is loaded, which takes the class over.
 */
export function waitForCoordinator(errors: Errors): void {
  errors.KafkaJSGroupCoordinatorNotFound = class extends errors.KafkaJSError {
    override name = 'KafkaJSGroupCoordinatorNotFound'
  }
}
