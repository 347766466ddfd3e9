// How is done to topics and groups what only a benchmark does, and so is not in the port?
import { loadKafkajs } from '@churnstream/runtime/kafkajs'

const { Kafka, logLevel, ConfigResourceTypes } = loadKafkajs()

export type Admin = ReturnType<InstanceType<typeof Kafka>['admin']> & AsyncDisposable

export async function openAdmin(brokers: string[]): Promise<Admin> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return Object.assign(admin, { [Symbol.asyncDispose]: () => admin.disconnect() })
}

/** In place of what the topic was made with. */
export async function configure(
  admin: Admin,
  topics: readonly string[],
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  const type = ConfigResourceTypes.TOPIC
  const resources = topics.map((name) => ({ type, name, configEntries }))
  await admin.alterConfigs({ validateOnly: false, resources })
}
