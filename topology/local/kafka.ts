// How does a Kafka broker run, being a controller too, alone or as one of three?
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Context, KafkaListener, KafkaNode, Secured } from './context.ts'
import { certificatesIn } from './certificates.ts'
import { runOnce } from './run-once.ts'
import type { PartName, ServerSpec } from './server.ts'

// What Kafka's own start script passes.
const jvm = [
  // A broker that lives for minutes spends more on the optimising compiler than it gets back.
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-Djava.awt.headless=true',
]

/** Half of what Kafka's own start script gives. */
const usualHeap = ['-Xms256m', '-Xmx512m']

export async function kafkaSpec(
  context: Context,
  name: Extract<PartName, `kafka${string}`>,
  index: number,
): Promise<ServerSpec> {
  const { dataDir, java, serversDir, brokerHeapMb } = context
  const { port } = context.kafkaNodes[index] as KafkaNode
  const dir = join(dataDir.path, name)
  const properties = join(dir, 'server.properties')
  const classPath = ['-cp', join(serversDir, 'kafka', '*')]
  const log4j = `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.yaml')}`
  const heap =
    brokerHeapMb === undefined ? usualHeap : [`-Xms${brokerHeapMb}m`, `-Xmx${brokerHeapMb}m`]
  mkdirSync(dir, { recursive: true })
  writeFileSync(properties, settings(join(dir, 'data'), index, context))

  if (!existsSync(join(dir, 'data', 'meta.properties'))) {
    const tool = ['-XX:TieredStopAtLevel=1', log4j, ...classPath, 'kafka.tools.StorageTool']
    const format = ['format', '--cluster-id', dataDir.secrets.kafkaClusterId, '-c', properties]
    const users = Object.entries(context.secured?.kafkaPasswords ?? {}).flatMap(
      ([user, password]) => ['--add-scram', `SCRAM-SHA-512=[name=${user},password=${password}]`],
    )
    await runOnce(context, `${name}-format`, java, [...tool, ...format, ...users])
  }

  return {
    name,
    command: java,
    args: [...heap, ...jvm, log4j, ...classPath, 'kafka.Kafka', properties],
    cwd: dir,
    logFile: join(dataDir.path, 'logs', `${name}.log`),
    port,
    answers: () => answers(`127.0.0.1:${port}`, dataDir.secrets.kafkaClusterId),
  }
}

/** A new broker loads its coordinators for a moment after its port is open. */
async function answers(broker: string, clusterId: string): Promise<boolean> {
  const kafka = new Kafka({
    clientId: 'local-stack',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const cluster = await admin.describeCluster()
    await admin.fetchOffsets({ groupId: 'local-stack-start' })
    return cluster.clusterId === clusterId
  } finally {
    await admin.disconnect()
  }
}

function settings(logDir: string, index: number, context: Context): string {
  const { kafkaNodes, secured } = context
  const plain = context.kafkaListeners.map((listener) => ({ ...listener, protocol: 'PLAINTEXT' }))
  const guarded = secured === undefined ? [] : [guardedListener(secured)]
  const kafkaListeners = [...plain, ...guarded]
  const { port, controllerPort } = kafkaNodes[index] as KafkaNode
  const voters = kafkaNodes.map((node, at) => `${at + 1}@127.0.0.1:${node.controllerPort}`)
  const replicas = kafkaNodes.length
  const inSync = Math.max(1, replicas - 1)
  const more = (text: (listener: Listener) => string): string =>
    kafkaListeners.map((listener) => `,${text(listener)}`).join('')
  return `
process.roles=broker,controller
node.id=${index + 1}
controller.quorum.voters=${voters.join(',')}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${more(({ name, port }) => `${name}://127.0.0.1:${port}`)}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}${more(({ name, advertisedPort }) => `${name}://127.0.0.1:${advertisedPort}`)}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${more(({ name, protocol }) => `${name}:${protocol}`)}
log.dirs=${logDir}

# Alone, a broker holds the only copy; of three, one may be lost.
default.replication.factor=${replicas}
min.insync.replicas=${inSync}
offsets.topic.replication.factor=${replicas}
transaction.state.log.replication.factor=${replicas}
transaction.state.log.min.isr=${inSync}
share.coordinator.state.topic.replication.factor=${replicas}
share.coordinator.state.topic.min.isr=${inSync}

# Topics are made from topology/, never by a typing mistake.
auto.create.topics.enable=false

# 50 and 50 by default: time at every start for nothing on one broker.
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
share.coordinator.state.topic.num.partitions=2
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216

group.initial.rebalance.delay.ms=0

# A killed producer's transaction ends soon after its own timeout, not up to ten seconds later.
transaction.max.timeout.ms=900000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
${secured === undefined ? '' : guardedSettings(certificatesIn(context.dataDir.path).keystoreFile)}`.trimStart()
}

type Listener = KafkaListener & { readonly protocol: string }

const guardedListener = ({ kafkaPort: port }: Secured): Listener => ({
  name: 'GUARDED',
  port,
  advertisedPort: port,
  protocol: 'SASL_SSL',
})

/** Who comes in without a name, on the broker's own listener, is the broker and this machine's admin. */
const guardedSettings = (keystoreFile: string): string => `
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.guarded.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=${keystoreFile}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS
`
