// How do the registry and the operators hear what this replica has loaded?
import type { Encoder, Figure, LoadReport, Schemas } from '@churnstream/schemas'
import { messageOf, type Kafka, type Log, type Producer } from '@churnstream/runtime'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'

const topic = topics.loadReports
const retryMs = 1_000

export type Statement = Omit<
  LoadReport,
  'replica' | 'scorerVersion' | 'reportedAt' | 'shadowFigures'
>

export interface Reports {
  /** Changes what is said of model@alias; it is sent soon. Never waits, never throws. */
  state(modelName: string, alias: string, change: Partial<Statement>): void
  /** Sends what is left, and then that nothing is loaded here any more. */
  stop(): Promise<void>
}

export async function createReportEncoder(schemas: Schemas): Promise<Encoder<'load-report'>> {
  return await schemas.encoderOf(topic)
}

/**
 * Each key's state is sent when it changes and every interval, so that who reads sees a replica that
 * has gone silent. What cannot be sent is sent later: only the newest state of a key matters.
 */
export function createReports(options: {
  readonly kafka: Kafka
  readonly encoder: Encoder<'load-report'>
  readonly replica: string
  readonly scorerVersion: string
  readonly intervalMs: number
  /** Read at each sending, for a challenger. */
  readonly shadowFigures: (modelName: string) => Figure[]
  readonly log: Log
}): Reports {
  const { kafka, encoder, replica, scorerVersion, log } = options
  const statements = new Map<string, Statement>()
  const dirty = new Set<string>()
  const stopping = new AbortController()
  let wake = Promise.withResolvers<void>()
  let producer: Producer | undefined

  const heartbeat = setInterval(() => {
    for (const key of statements.keys()) dirty.add(key)
    wake.resolve()
  }, options.intervalMs)
  const finished = work()

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (dirty.size === 0) await wake.promise
      wake = Promise.withResolvers()
      if (await send(valueOf)) continue
      await delay(retryMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  async function send(valueOfKey: (key: string) => Buffer | null): Promise<boolean> {
    const keys = [...dirty]
    dirty.clear()
    if (keys.length === 0) return true
    try {
      producer ??= await kafka.openProducer()
      await producer.send(
        keys.map((key) => ({ topic: topic.name, partition: 0, key, value: valueOfKey(key) })),
      )
      return true
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'load reports will be sent again')
      for (const key of keys) dirty.add(key)
      await producer?.close().catch(() => undefined)
      producer = undefined
      return false
    }
  }

  function valueOf(key: string): Buffer {
    const statement = statements.get(key) as Statement
    const { modelName, alias } = statement
    return encoder.encode({
      ...statement,
      replica,
      scorerVersion,
      reportedAt: Date.now(),
      shadowFigures: alias === 'challenger' ? options.shadowFigures(modelName) : [],
    })
  }

  return {
    state(modelName, alias, change) {
      const key = `${modelName}@${alias}#${replica}`
      statements.set(key, {
        ...(statements.get(key) ?? nothingYet(modelName, alias)),
        ...change,
      })
      dirty.add(key)
      wake.resolve()
    },
    async stop() {
      clearInterval(heartbeat)
      stopping.abort()
      wake.resolve()
      await finished
      // What it had loaded goes with it; the verdicts were read by whoever follows the topic.
      await send(valueOf)
      for (const key of statements.keys()) dirty.add(key)
      await send(() => null)
      await producer?.close()
    },
  }
}

function nothingYet(modelName: string, alias: string): Statement {
  return {
    modelName,
    alias,
    loadedVersion: null,
    loadedEpoch: -1,
    loadedAt: null,
    verdictVersion: null,
    verdictEpoch: -1,
    verdict: 'none',
    reason: '',
    detail: '',
    verdictAt: null,
    verdictFigures: [],
  }
}
