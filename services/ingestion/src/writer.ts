// How do many requests share one idempotent producer?
import {
  TransientError,
  failpoint,
  messageOf,
  type Health,
  type Log,
  type OutgoingRecord,
  type Placed,
  type Producer,
} from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import type { IngestionMetrics } from './metrics.ts'

export interface WriterOptions {
  readonly openProducer: () => Promise<Producer>
  /** Records that wait for their acknowledgement at most. */
  readonly maxQueued: number
  readonly maxPerSend?: number
  readonly sendTimeoutMs?: number
  readonly reopenMinMs?: number
  readonly health: Health
  readonly log: Log
  readonly metrics: IngestionMetrics
  /** Trouble that no retry mends: the process must end. */
  readonly onFatal: (error: unknown) => void
}

export interface Writer extends AsyncDisposable {
  /** Why nothing is taken now; undefined when something is. */
  refusal(): Refused | undefined
  /**
   * Resolves with each record's place once all in-sync replicas have it.
   * @throws Refused when nothing was written
   * @throws TransientError when the outcome is unknown
   */
  write(records: readonly OutgoingRecord[]): Promise<readonly Placed[]>
  /** Takes nothing more, finishes what is queued, closes the producer. */
  close(): Promise<void>
}

/** Nothing was written, and why; the same request may succeed later. */
export class Refused extends TransientError {
  override name = 'Refused'
  readonly reason: 'queue-full' | 'kafka-away' | 'registry-away' | 'stopping'
  constructor(reason: Refused['reason'], message: string, retryAfterMs: number, cause?: unknown) {
    super(message, { retryAfterMs, ...(cause === undefined ? {} : { cause }) })
    this.reason = reason
  }
}

/** From here on requests are refused, so that those already read still find room. */
const fullShare = 0.8
const reopenMaxMs = 5_000
const closeTimeoutMs = 5_000

interface Entry {
  readonly records: readonly OutgoingRecord[]
  readonly resolve: (placed: readonly Placed[]) => void
  readonly reject: (error: Error) => void
}

/**
 * One send at a time; whatever arrives meanwhile goes into the next, so sends grow with the load
 * and nothing lingers without it.
 */
export function createWriter(options: WriterOptions): Writer {
  const { maxQueued, health, log, metrics, onFatal } = options
  const { maxPerSend = 5_000, sendTimeoutMs = 20_000, reopenMinMs = 200 } = options
  const stopping = new AbortController()
  let waiting: Entry[] = []
  let queued = 0
  let arrived = Promise.withResolvers<void>()
  /** Set while no producer can be opened: nobody waits for a Kafka that is away. */
  let away: string | undefined = 'no producer was opened yet'
  health.waitFor('producer', away)
  metrics.queueCapacity.set(maxQueued)
  const done = work().catch((error: unknown) => {
    away = messageOf(error)
    stopping.abort()
    refuseWaiting(error)
    onFatal(error)
  })

  function refusal(count = 1): Refused | undefined {
    if (stopping.signal.aborted) return new Refused('stopping', 'the service is stopping', 1_000)
    // Why stands in the log and the readiness; a broker's address is nothing for a caller.
    if (away !== undefined) return new Refused('kafka-away', 'Kafka is away', 5_000)
    if (queued >= maxQueued * fullShare || queued + count > maxQueued) {
      const message = `${queued} of at most ${maxQueued} events wait for Kafka's acknowledgement`
      return new Refused('queue-full', message, 1_000)
    }
    return undefined
  }

  function write(records: readonly OutgoingRecord[]): Promise<readonly Placed[]> {
    const refused = refusal(records.length)
    if (refused) return Promise.reject(refused)
    return new Promise((resolve, reject) => {
      waiting.push({ records, resolve, reject })
      count(records.length)
      arrived.resolve()
    })
  }

  async function work(): Promise<void> {
    let producer: Producer | undefined
    try {
      while (!stopping.signal.aborted || waiting.length > 0) {
        producer ??= await open()
        if (producer === undefined) return
        if (waiting.length === 0) {
          arrived = Promise.withResolvers()
          if (!stopping.signal.aborted) await arrived.promise
          continue
        }
        const sent = await send(producer, take())
        if (sent) continue
        await close(producer)
        producer = undefined
      }
    } finally {
      if (producer) await close(producer)
    }
  }

  /** Tries until it succeeds or the writer stops. */
  async function open(): Promise<Producer | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        const producer = await options.openProducer()
        away = undefined
        health.ready('producer')
        return producer
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        away = messageOf(error)
        health.waitFor('producer', `Kafka is away: ${away}`)
        refuseWaiting(error)
        if (stopping.signal.aborted) return undefined
        const waitMs = Math.min(reopenMaxMs, reopenMinMs * 2 ** Math.min(attempt, 10))
        log.warn({ attempt, waitMs, reason: away }, 'no producer; opening one is tried again')
        await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        if (stopping.signal.aborted) return undefined
      }
    }
  }

  /** Whole requests, in order, as many as fit. */
  function take(): Entry[] {
    let records = 0
    let end = 0
    for (const entry of waiting) {
      if (end > 0 && records + entry.records.length > maxPerSend) break
      records += entry.records.length
      end++
    }
    const taken = waiting.slice(0, end)
    waiting = waiting.slice(end)
    return taken
  }

  async function send(producer: Producer, entries: readonly Entry[]): Promise<boolean> {
    const records = entries.flatMap((entry) => entry.records)
    const startedAt = performance.now()
    try {
      const placed = await within(sendTimeoutMs, 'sending', producer.send(records))
      if (placed.length !== records.length) {
        throw new Error(`${placed.length} places for ${records.length} records: a bug`)
      }
      failpoint('before-reply')
      metrics.sends.inc({ result: 'acknowledged' })
      metrics.sendRecords.observe(records.length)
      metrics.sendSeconds.observe((performance.now() - startedAt) / 1000)
      let at = 0
      for (const entry of entries) {
        entry.resolve(placed.slice(at, at + entry.records.length))
        at += entry.records.length
      }
      return true
    } catch (cause) {
      metrics.sends.inc({ result: 'failed' })
      const message = 'the write was not acknowledged, its outcome is unknown'
      const error = new TransientError(message, { cause, retryAfterMs: 1_000 })
      for (const entry of entries) entry.reject(error)
      if (!(cause instanceof TransientError)) throw cause
      log.warn({ records: records.length, reason: messageOf(cause) }, 'the producer is replaced')
      health.waitFor('producer', 'a new producer is being opened')
      return false
    } finally {
      count(-records.length)
    }
  }

  /** What it leaves unsent was answered already, so a failure here changes nothing. */
  async function close(producer: Producer): Promise<void> {
    await within(closeTimeoutMs, 'closing the producer', producer.close()).catch((error: unknown) =>
      log.warn({ reason: messageOf(error) }, 'a producer did not close'),
    )
  }

  function refuseWaiting(cause: unknown): void {
    const refused = new Refused('kafka-away', 'Kafka is away, nothing was written', 5_000, cause)
    for (const entry of waiting) {
      count(-entry.records.length)
      entry.reject(refused)
    }
    waiting = []
  }

  function count(change: number): void {
    queued += change
    metrics.queued.set(queued)
  }

  async function stop(): Promise<void> {
    stopping.abort()
    arrived.resolve()
    await done
  }
  return { refusal: () => refusal(), write, close: stop, [Symbol.asyncDispose]: stop }
}

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => timeout.reject(new TransientError(`${what} took longer than ${ms} ms`)),
    ms,
  )
  try {
    return await Promise.race([work, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}
