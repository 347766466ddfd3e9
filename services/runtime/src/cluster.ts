// How does a person's command reach Kafka and the schema registry?
import { Schemas } from '@churnstream/schemas'
import { loadConfig } from './config.ts'
import { clusterConfig, toKafkaConnection, toRegistryConnection } from './kafka-connection.ts'
import type { Kafka } from './kafka.ts'
import { createKafkajsKafka } from './kafkajs/adapter.ts'
import { createLog } from './log.ts'

export interface Cluster {
  readonly kafka: Kafka
  readonly schemas: Schemas
}

/** Connects nothing yet. @throws FatalError when the environment does not say where they are */
export function openCluster(
  env: Readonly<Record<string, string | undefined>>,
  command: string,
): Cluster {
  const config = loadConfig(clusterConfig, env)
  const kafka = createKafkajsKafka({
    ...toKafkaConnection(config),
    clientId: `churnstream-${command}`,
    // What matters comes as an error; the client's own lines would mix with the result.
    log: createLog(command, 'silent'),
  })
  return { kafka, schemas: new Schemas(toRegistryConnection(config)) }
}
