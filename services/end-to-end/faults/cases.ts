// Which faults are there, and how does one happen?
import type { PlayerActivity } from '@churnstream/schemas'
import { versionTags } from '@churnstream/registry-bridge'
import { topics, type ServiceId } from '@churnstream/topology'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { depositOf } from '../pipeline/deposit.ts'
import { championAlias, modelName, trainModel } from '../pipeline/model.ts'
import { openFolders } from '../rollout/folder.ts'
import { clusterCases } from './cluster-cases.ts'
import { diskCases } from './disk-cases.ts'
import { outageMs, someEvents, zombieMs, type FaultCase } from './fault-case.ts'
import { apiKeys } from './kafka-proxy.ts'
import { labServices, type Lab, type Proxied } from './lab.ts'
import { PromiseBroken } from './promise-broken.ts'

function killed(
  service: ServiceId,
  failpoint: string,
  options: { readonly isShort?: boolean; readonly during?: (lab: Lab) => Promise<void> } = {},
): FaultCase {
  return {
    name: `${service} killed ${failpoint}`,
    isShort: options.isShort ?? false,
    isServiceKill: true,
    async run(lab) {
      const { during } = options
      const exit = await lab.dieOf(service, failpoint, during && (() => during(lab)))
      return exit.signal === 'SIGKILL' && !exit.asked ? 1 : 0
    },
  }
}

/** Each place of a transaction, at a pass that is not the first. */
const passes = [
  'after-poll:kill@7',
  'after-process:kill@11',
  'after-produce:kill@13',
  'after-send-offsets:kill@17',
  'before-commit:kill@5',
  'after-commit:kill@19',
] as const

const isFrozen = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/status`, 'utf8').includes('State:\tT')

const zombie = (service: Proxied): FaultCase => ({
  name: `${service} frozen past its session, another takes over`,
  async run(lab) {
    const second = await lab.pipeline.startReplica(service)
    await lab.pipeline.process(service).stop()
    // In the middle of a chunk, when its lanes have long named their carrier.
    const armed = { NODE_ENV: 'test', FAILPOINT: 'after-process:stop@40' }
    void lab.pipeline.restart(service, armed).catch(() => undefined)
    const first = lab.pipeline.process(service)
    while (!isFrozen(first.pid)) await delay(50)
    await delay(zombieMs)
    // While it is frozen the other one has all the work.
    await lab.caughtUp()
    first.resume()
    await lab.more(someEvents)
    await second.stop()
    return 1
  },
})

/** What MLflow says meanwhile is announced once it wakes, by reading it again. */
const frozenBridge: FaultCase = {
  name: 'registryBridge frozen while a version is promoted',
  async run(lab) {
    const bridge = lab.pipeline.process('registryBridge')
    bridge.pause()
    await promoteOther(lab)
    await delay(zombieMs)
    bridge.resume()
    await lab.more(someEvents)
    return 1
  },
}

const rebalanced = (service: Proxied): FaultCase => ({
  name: `${service} from one replica to three and back`,
  async run(lab) {
    const replicas = [
      await lab.pipeline.startReplica(service),
      await lab.pipeline.startReplica(service),
    ]
    await lab.more(someEvents)
    for (const replica of replicas) await replica.stop()
    return replicas.length * 2
  },
})

type Server = 'kafka' | 'registry' | 'postgres' | 's3' | 'mlflow'

const serverDown = (
  server: Server,
  how: 'stop' | 'kill9',
  during: (lab: Lab) => Promise<void> = async () => undefined,
): FaultCase => ({
  name: `${server} ${how === 'stop' ? 'stopped' : 'killed'} and back`,
  isShort: server === 'kafka' && how === 'kill9',
  async run(lab) {
    const handle = lab.pipeline.stack.servers[server]
    const exit = await handle[how]()
    await during(lab)
    await delay(outageMs)
    await handle.start()
    return exit.asked ? 1 : 0
  },
})

/** They wait for it, and say so; ending would make a supervisor's restarts the way to wait. */
const startedWithout = (server: Server, ids: readonly ServiceId[]): FaultCase => ({
  name: `services start while ${server} is away`,
  async run(lab) {
    const handle = lab.pipeline.stack.servers[server]
    await Promise.all(ids.map((id) => lab.pipeline.process(id).stop()))
    const exit = await handle.kill9()
    const ready = Promise.all(ids.map((id) => lab.pipeline.restart(id)))
    await delay(outageMs)
    await handle.start()
    await ready
    return exit.asked ? ids.length : 0
  },
})

const network = (
  service: Proxied,
  what: string,
  begin: (lab: Lab) => void,
  lastsMs = outageMs,
): FaultCase => ({
  name: `${service} and its broker: ${what}`,
  async run(lab) {
    const proxy = lab.proxies[service]
    proxy.heal()
    begin(lab)
    await delay(lastsMs)
    const { fired } = proxy
    proxy.heal()
    return fired
  },
})

const ambushed = (
  service: Proxied,
  what: string,
  ambush: Parameters<Lab['proxies'][Proxied]['ambush']>[0],
  isShort = false,
): FaultCase => ({
  name: `${service} and its broker: ${what}`,
  isShort,
  async run(lab) {
    const proxy = lab.proxies[service]
    proxy.heal()
    proxy.ambush(ambush)
    const deadline = Date.now() + 30_000
    while (proxy.fired === 0 && Date.now() < deadline) await delay(50)
    const { fired } = proxy
    const holdMs = typeof ambush.action === 'object' ? ambush.action.holdMs : 0
    const answersBefore = proxy.answersToHeld.length
    if (holdMs > 0) {
      await delay(holdMs + 2_000)
      const answer = proxy.answersToHeld[answersBefore]
      // The late request must be refused: its producer was fenced by the one that took its place.
      if (ambush.apiKey === apiKeys.endTxn && answer === 0) {
        throw new PromiseBroken('a transaction end that came too late was taken')
      }
    }
    proxy.heal()
    return fired
  },
})

async function otherVersion(lab: Lab): Promise<string> {
  const versions = await lab.mlflow.versions(modelName)
  const champion = (await lab.mlflow.model(modelName))?.aliases[championAlias]
  const other = versions.find(({ version }) => version !== champion)
  if (other !== undefined) return other.version
  const { stack } = lab.pipeline
  return trainModel({
    stack,
    dataDir: stack.dataDir,
    size: 'small',
    seed: 99,
    champion: false,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  })
}

async function promoteOther(lab: Lab): Promise<void> {
  await lab.mlflow.setAlias(modelName, championAlias, await otherVersion(lab))
}

const swaps: FaultCase = {
  name: 'ten promotions while events flow',
  isShort: true,
  async run(lab) {
    for (let promotion = 0; promotion < 10; promotion++) {
      await promoteOther(lab)
      await delay(600)
    }
    return 10
  },
}

/** Whoever can write to the bucket could otherwise make any bytes the champion. */
const otherBytes: FaultCase = {
  name: 'the bytes of a version change after it was announced',
  async run(lab) {
    const { mlflow, pipeline } = lab
    const folders = openFolders(pipeline.stack, mlflow)
    const champion = (await mlflow.model(modelName))?.aliases[championAlias] as string
    const good = await folders.read(modelName, champion)
    const other = await folders.read(modelName, await otherVersion(lab))
    const version = await folders.register(modelName, good)
    // Any alias is announced, so the digests are known from here on.
    await mlflow.setAlias(modelName, 'staging', version)
    await delay(4_000)
    for (const file of ['model.onnx', 'golden.json', 'columns.json', 'MLmodel']) {
      await folders.overwrite(modelName, version, file, other.get(file) as Buffer)
    }
    await mlflow.setAlias(modelName, championAlias, version)
    const deadline = Date.now() + 30_000
    for (;;) {
      const verdict = (await mlflow.version(modelName, version))?.tags[versionTags.verdict]
      if (verdict === 'refused') break
      if (verdict !== undefined) throw new PromiseBroken(`the changed bytes are ${verdict}`)
      if (Date.now() > deadline) throw new PromiseBroken('nothing was said of the changed bytes')
      await delay(100)
    }
    await mlflow.setAlias(modelName, championAlias, champion)
    return 1
  },
}

/** Every shape of bytes that is no record. */
const poison: FaultCase = {
  name: 'poison of every kind',
  isShort: true,
  async run(lab) {
    const { kafka, schemas } = lab
    const scoreId = await schemas.register('churn-score', topics.churnScores.name)
    const encoder = await schemas.encoderOf(topics.playerActivity)
    const whole = encoder.encode(activityOf('poisoned', 0))
    const otherRecord = Buffer.from(whole)
    otherRecord.writeInt32BE(scoreId, 1)
    const unknownId = Buffer.from(whole)
    unknownId.writeInt32BE(2_000_000, 1)
    const magic = Buffer.from(whole)
    magic[0] = 7
    const values: (Buffer | null)[] = [
      null,
      Buffer.alloc(0),
      Buffer.from([0, 0, 0, 1]),
      Buffer.from('{"eventId":"json"}'),
      magic,
      whole.subarray(0, whole.length - 4),
      Buffer.concat([whole, Buffer.from('more')]),
      otherRecord,
      unknownId,
      encoder.encode({ ...activityOf('wrong-kind', 0), kind: 'won_the_lottery' }),
      encoder.encode({ ...activityOf('no-stake', 0), kind: 'bet_placed', stake: null }),
    ]
    const producer = await kafka.openProducer()
    const records = values.map((value, index) => ({
      topic: topics.playerActivity.name,
      partition: index % topics.playerActivity.partitions,
      key: Buffer.from([0xff, index]),
      value,
    }))
    await producer.send(records)
    await producer.close()
    await lab.more(someEvents)
    return records.length
  },
}

const activityOf = (playerId: string, count: number): PlayerActivity =>
  depositOf(playerId, `${playerId}-${count}`, Date.now())

const poisonedAndKilled: FaultCase = {
  isServiceKill: true,
  name: 'features killed with poison in every batch',
  async run(lab) {
    let died = false
    const exit = await lab.dieOf('features', 'after-process:kill@25', async () => {
      const producer = await lab.kafka.openProducer()
      const partitions = Array.from({ length: topics.playerActivity.partitions }, (_, at) => at)
      const process = lab.pipeline.process('features')
      void process.exited.then(() => (died = true))
      while (!died) {
        await producer.send(
          partitions.map((partition) => ({
            topic: topics.playerActivity.name,
            partition,
            key: null,
            value: Buffer.from('poison'),
          })),
        )
        await delay(20)
      }
      await producer.close()
    })
    return exit.signal === 'SIGKILL' ? 1 : 0
  },
}

let hotRuns = 0
const hotPlayer: FaultCase = {
  name: 'one player with a third of the traffic',
  async run(lab) {
    const playerId = `hot-${Date.now()}-${hotRuns++}`
    const batches = 15
    const batch = 100
    for (let at = 0; at < batches; at++) {
      const events = Array.from({ length: batch }, (_, i) => activityOf(playerId, at * batch + i))
      await lab.post(events)
      await delay(200)
    }
    return batches * batch
  },
}

const rolling: FaultCase = {
  name: 'every service restarted in turn',
  isShort: true,
  async run(lab) {
    const ids = labServices
    for (const id of ids) {
      await lab.pipeline.process(id).stop()
      await lab.pipeline.restart(id)
    }
    return ids.length
  },
}

const allKilled: FaultCase = {
  name: 'every service killed at once',
  isServiceKill: true,
  isShort: true,
  async run(lab) {
    const ids = labServices
    const exits = await Promise.all(ids.map((id) => lab.pipeline.process(id).kill9()))
    await Promise.all(ids.map((id) => lab.pipeline.restart(id)))
    return exits.length
  },
}

const killedThrice: FaultCase = {
  name: 'kafka killed three times in a row',
  async run(lab) {
    const { kafka } = lab.pipeline.stack.servers
    for (let time = 0; time < 3; time++) {
      await kafka.kill9()
      await kafka.start()
      await lab.more(someEvents)
    }
    return 3
  },
}

const frozenBroker: FaultCase = {
  name: 'kafka frozen for eight seconds',
  async run(lab) {
    const { kafka } = lab.pipeline.stack.servers
    kafka.pause()
    await delay(8_000)
    kafka.resume()
    return 1
  },
}

const restartService =
  (service: ServiceId) =>
  async (lab: Lab): Promise<void> => {
    await lab.pipeline.process(service).stop()
    await lab.pipeline.restart(service)
  }

/** Of every service, an hour ahead, then an hour behind, then right again. */
const clockJumps: FaultCase = {
  name: 'wall clocks jump an hour ahead and back',
  async run(lab) {
    const { pipeline } = lab
    const ids = labServices
    const preload = new URL('clock-jump.mjs', import.meta.url).href
    const env = { NODE_OPTIONS: `--import=${preload}` }
    const again = async (more?: Record<string, string>): Promise<void> => {
      await Promise.all(ids.map((id) => pipeline.process(id).stop()))
      await Promise.all(ids.map((id) => pipeline.restart(id, more)))
    }
    await again(env)
    let jumps = 0
    for (let jump = 0; jump < 3; jump++) {
      for (const id of ids) {
        process.kill(pipeline.process(id).pid, 'SIGUSR2')
        jumps++
      }
      // Past a session: a member whose heartbeats stop would lose its partitions.
      await delay(zombieMs)
      await lab.more(someEvents)
    }
    await again()
    return jumps
  },
}

export const faultCases: readonly FaultCase[] = [
  ...passes.map((pass) => killed('features', pass, { isShort: pass.startsWith('after-produce') })),
  ...passes.map((pass) => killed('scorer', pass, { isShort: pass.startsWith('after-commit') })),
  killed('sinks', 'after-database-commit:kill@3', { isShort: true }),
  killed('sinks', 'before-commit:kill@4'),
  killed('sinks', 'after-commit:kill@5'),
  killed('features', 'mid-restore:kill@2'),
  killed('scorer', 'mid-model-swap:kill@2', { during: promoteOther }),
  killed('ingestion', 'before-reply:kill@40', { isShort: true }),
  killed('registryBridge', 'after-produce:kill@1', { during: promoteOther }),
  killed('registryBridge', 'before-commit:kill@1', { during: promoteOther }),
  zombie('features'),
  zombie('scorer'),
  zombie('sinks'),
  frozenBridge,
  rebalanced('features'),
  rebalanced('scorer'),
  rebalanced('sinks'),
  serverDown('kafka', 'stop'),
  serverDown('kafka', 'kill9'),
  killedThrice,
  frozenBroker,
  serverDown('registry', 'kill9'),
  serverDown('postgres', 'kill9'),
  serverDown('s3', 'kill9', promoteOther),
  serverDown('mlflow', 'kill9', restartService('scorer')),
  startedWithout('registry', ['ingestion', 'features', 'scorer', 'sinks', 'registryBridge']),
  startedWithout('kafka', ['ingestion', 'features', 'scorer', 'sinks', 'registryBridge']),
  startedWithout('postgres', ['sinks']),
  startedWithout('s3', ['scorer']),
  network('scorer', 'connections refused', (lab) => lab.proxies.scorer.refuse()),
  network('features', 'connections reset', (lab) => lab.proxies.features.reset()),
  network('sinks', 'nothing passes', (lab) => lab.proxies.sinks.blackHole(), 8_000),
  network('features', '150 ms a frame', (lab) => lab.proxies.features.slow({ delayMs: 150 })),
  network('scorer', '200 KB a second', (lab) =>
    lab.proxies.scorer.slow({ bytesPerSecond: 200_000 }),
  ),
  network('features', 'cut after 100 KB', (lab) => lab.proxies.features.cutAfter(100_000)),
  network('registryBridge', 'connections refused', (lab) => lab.proxies.registryBridge.refuse()),
  network('sinks', 'a slow consumer', (lab) => lab.proxies.sinks.slow({ delayMs: 400 }), 8_000),
  ambushed('features', 'the answer to a produce request is lost', {
    apiKey: apiKeys.produce,
    side: 'response',
    nth: 5,
    action: 'drop',
  }),
  ambushed('scorer', 'the answer to a transaction end is lost', {
    apiKey: apiKeys.endTxn,
    side: 'response',
    nth: 5,
    action: 'drop',
  }),
  ambushed('features', 'the answer to an offset commit is lost', {
    apiKey: apiKeys.txnOffsetCommit,
    side: 'response',
    nth: 5,
    action: 'drop',
  }),
  ambushed('scorer', 'a transaction end is held past its client', {
    apiKey: apiKeys.endTxn,
    side: 'request',
    nth: 5,
    action: { holdMs: 25_000 },
  }),
  ambushed('features', 'a transaction end is lost', {
    apiKey: apiKeys.endTxn,
    side: 'request',
    nth: 5,
    action: 'drop',
  }),
  ambushed('sinks', 'a transaction end is lost', {
    apiKey: apiKeys.endTxn,
    side: 'request',
    nth: 3,
    action: 'drop',
  }),
  swaps,
  poison,
  poisonedAndKilled,
  otherBytes,
  hotPlayer,
  rolling,
  allKilled,
  clockJumps,
  ...clusterCases,
  ...diskCases,
]
