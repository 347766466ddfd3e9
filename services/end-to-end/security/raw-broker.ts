// What does a broker answer to one request, without a client's patience?
import { loadKafkajs, toSasl } from '@churnstream/runtime/kafkajs'
import type { KafkaConnection } from '@churnstream/runtime'
import { randomUUID } from 'node:crypto'

/** What we use of kafkajs's inside. Each throws an error that bears Kafka's code. */
interface Inner {
  fetch(request: object): Promise<unknown>
  produce(request: object): Promise<unknown>
  listOffsets(request: object): Promise<unknown>
  createTopics(request: object): Promise<unknown>
  deleteTopics(request: object): Promise<unknown>
  alterConfigs(request: object): Promise<unknown>
  joinGroup(request: object): Promise<unknown>
  offsetFetch(request: object): Promise<unknown>
  initProducerId(request: object): Promise<unknown>
  createAcls(request: object): Promise<unknown>
  describeAcls(request: object): Promise<unknown>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  findControllerBroker(): Promise<Inner>
}

export interface RawBroker extends AsyncDisposable {
  read(topic: string): Promise<number>
  write(topic: string): Promise<number>
  describe(topic: string): Promise<number>
  create(topic: string): Promise<number>
  remove(topic: string): Promise<number>
  configure(topic: string): Promise<number>
  join(group: string): Promise<number>
  offsets(group: string, topic: string): Promise<number>
  initProducer(transactionalId: string): Promise<number>
  grant(principal: string): Promise<number>
  listAccess(): Promise<number>
}

/** Every answer is Kafka's code; 0 is none. The only broker is controller and coordinator too. */
export async function openRawBroker(connection: KafkaConnection): Promise<RawBroker> {
  const { Kafka, AclOperationTypes, AclPermissionTypes, AclResourceTypes, ...kafkajs } =
    loadKafkajs()
  const { brokers, tls, sasl } = connection
  const client = new Kafka({
    brokers: [...brokers],
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    ...(sasl === undefined ? {} : { sasl: toSasl(sasl) }),
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 20_000,
  })
  const key = Object.getOwnPropertySymbols(client).find(
    (symbol) => symbol.description === 'private:Kafka:createCluster',
  )
  if (key === undefined) throw new TypeError('kafkajs has no createCluster')
  const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[key]
  const cluster = (create as (options: object) => Cluster)({ metadataMaxAge: 60_000 })
  await cluster.connect()
  await cluster.refreshMetadata()
  const broker = await cluster.findControllerBroker()
  const pattern = { resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL, host: '*' }
  const partitionsOf = (topic: string, partition: object) => [
    { topic, partitions: [{ partition: 0, ...partition }] },
  ]

  return {
    read: (topic) =>
      codeOf(
        broker.fetch({
          maxWaitTime: 0,
          minBytes: 0,
          maxBytes: 1024,
          topics: partitionsOf(topic, { fetchOffset: '0', maxBytes: 1024 }),
        }),
      ),
    write: (topic) =>
      codeOf(
        broker.produce({
          topicData: partitionsOf(topic, {
            firstSequence: 0,
            messages: [{ key: null, value: 'x', headers: {}, timestamp: String(Date.now()) }],
          }),
        }),
      ),
    describe: (topic) =>
      codeOf(broker.listOffsets({ topics: partitionsOf(topic, { timestamp: '-1' }) })),
    create: (topic) =>
      codeOf(broker.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })),
    remove: (topic) => codeOf(broker.deleteTopics({ topics: [topic] })),
    configure: (topic) =>
      codeOf(
        broker.alterConfigs({
          resources: [
            {
              type: kafkajs.ConfigResourceTypes.TOPIC,
              name: topic,
              configEntries: [{ name: 'retention.ms', value: '1' }],
            },
          ],
        }),
      ),
    join: (groupId) =>
      codeOf(
        broker.joinGroup({
          groupId,
          sessionTimeout: 6_000,
          rebalanceTimeout: 6_000,
          memberId: '',
          groupProtocols: [{ name: 'RoundRobinAssigner', metadata: Buffer.alloc(0) }],
        }),
      ),
    offsets: (groupId, topic) =>
      codeOf(broker.offsetFetch({ groupId, topics: [{ topic, partitions: [{ partition: 0 }] }] })),
    initProducer: (transactionalId) =>
      codeOf(broker.initProducerId({ transactionalId, transactionTimeout: 1_000 })),
    grant: (principal) =>
      codeOf(
        broker.createAcls({
          acl: [
            {
              ...pattern,
              resourceType: AclResourceTypes.TOPIC,
              resourceName: randomUUID(),
              principal: `User:${principal}`,
              operation: AclOperationTypes.ALL,
              permissionType: AclPermissionTypes.ALLOW,
            },
          ],
        }),
      ),
    listAccess: () =>
      codeOf(
        broker.describeAcls({
          ...pattern,
          resourceType: AclResourceTypes.ANY,
          resourcePatternType: kafkajs.ResourcePatternTypes.ANY,
          operation: AclOperationTypes.ANY,
          permissionType: AclPermissionTypes.ANY,
        }),
      ),
    [Symbol.asyncDispose]: () => cluster.disconnect(),
  }
}

async function codeOf(answer: Promise<unknown>): Promise<number> {
  try {
    await answer
    return 0
  } catch (error) {
    return codeIn(error)
  }
}

function codeIn(error: unknown): number {
  const { code, cause, errors } = (error ?? {}) as {
    code?: unknown
    cause?: unknown
    errors?: readonly unknown[]
  }
  if (typeof code === 'number') return code
  const inner = errors?.[0] ?? cause
  if (inner === undefined) throw error
  return codeIn(inner)
}
