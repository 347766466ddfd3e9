// What does a fault happen to? A pipeline under steady load, whose every outcome is watched.
import { clockRecords } from '@churnstream/ingestion'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import {
  TransientError,
  createKafkajsKafka,
  createLog,
  type Kafka,
  type Producer,
} from '@churnstream/runtime'
import { DecodeProblem, Decoder, Schemas, type Encoder } from '@churnstream/schemas'
import { drive, postEvents } from '@churnstream/simulator'
import { services, topics, type ServiceId } from '@churnstream/topology'
import { freePorts, openDataDir, type Exit } from '@churnstream/topology/local'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startPipeline, type Pipeline } from '../pipeline/pipeline.ts'
import { lastYear } from '../pipeline/steps.ts'
import { startKafkaProxy, type KafkaProxy } from './kafka-proxy.ts'
import { openLedger } from './ledger.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'

const postTimeoutMs = 8_000
const pollMs = 50
const usualPatienceMs = 120_000

/** Those on an event's way, and what announces versions; the monitor has faults of its own. */
export const labServices: readonly ServiceId[] = [
  'ingestion',
  'features',
  'scorer',
  'sinks',
  'registryBridge',
]
/** Services that reach the broker through a proxy of their own. */
export const proxied = ['features', 'scorer', 'sinks', 'registryBridge'] as const
export type Proxied = (typeof proxied)[number]

/** What the pipeline runs on: every server once, three brokers, or a broker whose disk is small. */
export const labKinds = ['usual', 'cluster', 'small-disk'] as const
export type LabKind = (typeof labKinds)[number]

const smallDiskMegabytes = 600

export interface LabOptions {
  /** Usual unless told. */
  readonly kind?: LabKind
  readonly dataDir: string
  readonly ratePerSecond: number
  readonly seed: number
  /** How long something may take to happen; 2 minutes unless told. */
  readonly patienceMs?: number
  /** Whose code the services run. */
  readonly repository?: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export interface Lab extends AsyncDisposable {
  readonly pipeline: Pipeline
  readonly kafka: Kafka
  readonly schemas: Schemas
  readonly mlflow: Mlflow
  readonly proxies: Readonly<Record<Proxied, KafkaProxy>>
  /** The broker's, where it is small. */
  readonly disk: SmallDisk | undefined
  readonly ledgerFile: string
  /** Events acknowledged from now on are put down as of this case. */
  begin(name: string): void
  readonly acknowledged: number
  /** Posts further events beside the load, and puts down what is acknowledged. */
  post(events: Parameters<ReturnType<typeof postEvents>>[0]): Promise<void>
  /** Starts a service again with a failpoint, and resolves once it has died of it. */
  dieOf(service: ServiceId, failpoint: string, during?: () => Promise<void>): Promise<Exit>
  /** While the work goes on, a server or service may end by itself. */
  whileMayEnd<T>(name: string, work: () => Promise<T>): Promise<T>
  /** Resolves when so many more events were acknowledged. */
  more(events: number): Promise<void>
  /**
   * Seconds until every event that is acknowledged by now is scored, and stored; undefined when that
   * did not happen: what was lost is for the verifier to say.
   */
  caughtUp(): Promise<number | undefined>
  /** Longest time without a score since the call before, in seconds. */
  takePause(): number
  /** Ends the load, and waits until everything is scored, or will not be. */
  finish(): Promise<void>
  /** Ends the load and waits for nothing. */
  giveUp(): Promise<void>
}

/** @throws Error when the pipeline does not come up, or breaks where no fault was asked for */
export async function openLab(options: LabOptions): Promise<Lab> {
  const { dataDir, ratePerSecond, signal, onProgress } = options
  await using cleanUp = new AsyncDisposableStack()
  const failed = new AbortController()
  const running = AbortSignal.any([signal, failed.signal])
  /** Services that may end by themselves now. */
  const mayDie = new Set<string>()

  const { kind = 'usual' } = options
  let disk: SmallDisk | undefined
  if (kind === 'small-disk') {
    // The stack takes a folder that is empty or its own.
    openDataDir(dataDir).release()
    disk = cleanUp.use(mountSmallDisk(join(dataDir, 'kafka'), smallDiskMegabytes))
  }
  // A proxy stands before the only broker; of three, each would need its own.
  const reached = kind === 'cluster' ? [] : proxied
  const ports = await freePorts(reached.length * 2)
  const listeners = reached.map((id, index) => ({
    id,
    name: id.toUpperCase(),
    port: ports[index * 2] as number,
    advertisedPort: ports[index * 2 + 1] as number,
  }))
  const proxies = {} as Record<Proxied, KafkaProxy>
  for (const { id, port, advertisedPort } of listeners) {
    proxies[id] = cleanUp.use(await startKafkaProxy(advertisedPort, port))
  }
  const pipeline = cleanUp.use(
    await startPipeline({
      dataDir,
      ports: 'free',
      modelSize: 'small',
      services: labServices,
      brokers: kind === 'cluster' ? 3 : 1,
      kafkaListeners: listeners,
      ...(options.repository === undefined ? {} : { repository: options.repository }),
      env: Object.fromEntries(
        listeners.map(({ id, advertisedPort }) => [
          id,
          { KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${advertisedPort}` },
        ]),
      ),
      signal: running,
      onProgress,
      onFailure(message) {
        if ([...mayDie].some((name) => message.startsWith(`${name} ended`))) return
        failed.abort(new Error(message))
      },
    }),
  )
  const { stack } = pipeline
  const kafka = createKafkajsKafka({
    brokers: stack.kafka.brokers,
    clientId: 'faults',
    log: createLog('faults', 'silent'),
  })
  cleanUp.defer(() => kafka.close())
  const schemas = new Schemas({ url: stack.registry.url })
  const ledgerFile = join(dataDir, 'ledger.jsonl')
  const ledger = openLedger(ledgerFile)
  cleanUp.defer(() => ledger.close())

  let during = 'start'
  let acknowledged = 0
  /** Acknowledged and not seen scored yet, with when. */
  const waiting = new Map<string, number>()
  const scoredEarly = new Set<string>()
  let lastScoreAt = performance.now()
  let pauseMs = 0
  /** Behind the newest score of each partition; the end itself may be a transaction's marker. */
  const ends = new Map<number, bigint>()

  const decoder = new Decoder('churn-score')
  let decoding: Promise<void> = Promise.resolve()
  const follower = kafka.follow(
    topics.churnScores.name,
    (records, partition) => {
      const now = performance.now()
      const last = records.at(-1)
      if (last !== undefined) ends.set(partition, last.offset + 1n)
      pauseMs = Math.max(pauseMs, now - lastScoreAt)
      lastScoreAt = now
      decoding = decoding.then(async () => {
        const values = records.map(({ value }) => value)
        await schemas.prepare(decoder, values)
        for (const value of values) {
          const score = decoder.decode(value)
          if (score instanceof DecodeProblem || score.trigger !== 'activity') continue
          if (!waiting.delete(score.causeEventId)) scoredEarly.add(score.causeEventId)
        }
      })
      decoding.catch((error: unknown) => failed.abort(error))
    },
    { from: 'end' },
  )
  cleanUp.defer(() => follower.stop())
  await follower.caughtUp

  const acknowledge = (ids: readonly string[]): void => {
    ledger.append(ids.map((eventId) => ({ eventId, during })))
    acknowledged += ids.length
    const now = performance.now()
    for (const id of ids) if (!scoredEarly.delete(id)) waiting.set(id, now)
  }
  const accepted = (verdicts: readonly { eventId: string; status: string }[]): string[] =>
    verdicts.filter(({ status }) => status === 'accepted').map(({ eventId }) => eventId)

  const ended = new AbortController()
  const encoder = await schemas.encoderOf(topics.playerActivity)
  const clock = createClock(kafka, encoder, running)
  cleanUp.defer(() => clock.close())
  const post = postEvents(pipeline.urls.ingestion, {
    key: pipeline.apiKey,
    timeoutMs: postTimeoutMs,
  })
  const load = drive({
    steps: lastYear(options.seed, ratePerSecond),
    ratePerSecond,
    signal: AbortSignal.any([running, ended.signal]),
    post,
    writeClock: clock.write,
    onAcknowledged: ({ verdicts }) => acknowledge(accepted(verdicts)),
  })
  load.catch((error: unknown) => failed.abort(error))
  cleanUp.defer(async () => {
    ended.abort()
    await load.catch(() => undefined)
  })

  const { patienceMs = usualPatienceMs } = options

  async function comes(done: () => boolean | Promise<boolean>): Promise<boolean> {
    const deadline = performance.now() + patienceMs
    while (!(await done())) {
      running.throwIfAborted()
      if (performance.now() > deadline) return false
      await delay(pollMs)
    }
    return true
  }

  async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
    if (await comes(done)) return
    throw new Error(`${during}: ${what} did not happen within ${patienceMs / 1000} s`)
  }

  async function isStored(scored: ReadonlyMap<number, bigint>): Promise<boolean> {
    for (const [partition, end] of scored) {
      const group = services.sinks.name
      const next = await kafka.committedOffset(group, topics.churnScores.name, partition)
      if (next < end) return false
    }
    return true
  }

  const owned = cleanUp.move()
  const lab: Lab = {
    pipeline,
    kafka,
    schemas,
    mlflow: createMlflow(stack.mlflow.url),
    proxies,
    disk,
    ledgerFile,
    begin: (name) => void (during = name),
    get acknowledged() {
      return acknowledged
    },
    async post(events) {
      for (;;) {
        try {
          acknowledge(accepted(await post(events, running)))
          return
        } catch (error) {
          if (!(error instanceof TransientError)) throw error
          await delay(pollMs, undefined, { signal: running })
        }
      }
    },
    async dieOf(service, failpoint, whileArmed) {
      const { name } = services[service]
      return lab.whileMayEnd(name, async () => {
        await pipeline.process(service).stop()
        const ready = pipeline.restart(service, { NODE_ENV: 'test', FAILPOINT: failpoint })
        const child = pipeline.process(service)
        // It may die before it is ready; who answers in the end is the one that is started next.
        ready.catch(() => undefined)
        if (whileArmed !== undefined) {
          await ready
          await whileArmed()
        }
        await until(`the death of ${name} at ${failpoint}`, () => child.hasExited)
        const exit = await child.exited
        await pipeline.restart(service)
        return exit
      })
    },
    async whileMayEnd(name, work) {
      mayDie.add(name)
      try {
        return await work()
      } finally {
        mayDie.delete(name)
      }
    },
    more(events) {
      const goal = acknowledged + events
      return until(`${events} further events`, () => acknowledged >= goal)
    },
    async caughtUp() {
      const startedAt = performance.now()
      const isScored = await comes(() => {
        for (const at of waiting.values()) return at > startedAt
        return true
      })
      const scored = new Map(ends)
      const isWhole = isScored && (await comes(() => isStored(scored)))
      return isWhole ? (performance.now() - startedAt) / 1000 : undefined
    },
    takePause() {
      const longest = Math.max(pauseMs, performance.now() - lastScoreAt)
      pauseMs = 0
      lastScoreAt = performance.now()
      return longest / 1000
    },
    async giveUp() {
      ended.abort()
      // What went wrong with it is what it was given up for.
      await load.catch(() => undefined)
    },
    async finish() {
      ended.abort()
      await load
      await comes(() => waiting.size === 0)
      await comes(() => isStored(ends))
    },
    async [Symbol.asyncDispose]() {
      for (const proxy of Object.values(proxies)) proxy.heal()
      await owned.disposeAsync()
    },
  }
  return lab
}

/** Writes clock records whatever happens to the broker: an instant that is late is no harm. */
function createClock(
  kafka: Kafka,
  encoder: Encoder<'player-activity'>,
  signal: AbortSignal,
): { write: (atMs: number) => Promise<void>; close: () => Promise<void> } {
  let producer: Producer | undefined
  return {
    async write(atMs) {
      while (!signal.aborted) {
        try {
          producer ??= await kafka.openProducer()
          await producer.send(clockRecords(encoder, atMs))
          return
        } catch (error) {
          if (!(error instanceof TransientError)) throw error
          await producer?.close()
          producer = undefined
          await delay(200)
        }
      }
    },
    async close() {
      await producer?.close()
    },
  }
}
