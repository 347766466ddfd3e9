// How does every partition learn that event time goes on, also where nobody bets?
import { TransientError, messageOf, type Log, type OutgoingRecord } from '@churnstream/runtime'
import { clockKind, type Encoder, type PlayerActivity } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import type { IngestionMetrics } from './metrics.ts'
import type { Writer } from './writer.ts'

export interface ClockOptions {
  /** 0: no clock. */
  readonly intervalMs: number
  readonly writer: Writer
  readonly encoder: Encoder<'player-activity'>
  readonly now: () => number
  readonly metrics: Pick<IngestionMetrics, 'clockWritten'>
  readonly log: Log
  readonly onFatal: (error: unknown) => void
}

/** A record that could not be written is made up for soon: silence is only seen through them. */
const retryMs = 1_000

/** Starts with a tick at once: after an outage the silent players are due now. */
export function startClock(options: ClockOptions): AsyncDisposable {
  const { intervalMs, writer, log, onFatal } = options
  const stopping = new AbortController()
  const done = intervalMs === 0 ? Promise.resolve() : work().catch(onFatal)
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await done
    },
  }

  async function work(): Promise<void> {
    const { signal } = stopping
    while (!signal.aborted) {
      const written = await tick()
      const waitMs = written ? intervalMs : Math.min(intervalMs, retryMs)
      await delay(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async function tick(): Promise<boolean> {
    try {
      const nowMs = options.now()
      await writer.write(clockRecords(options.encoder, nowMs))
      options.metrics.clockWritten.set(nowMs / 1000)
      return true
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      log.warn({ reason: messageOf(error) }, 'a clock record was not written')
      return false
    }
  }
}

/** The statement that event time has reached this instant. */
export const clockEvent = (nowMs: number): PlayerActivity => ({
  eventId: `clock-${nowMs}`,
  kind: clockKind,
  playerId: '',
  occurredAt: nowMs,
  market: '',
  acquisitionSource: null,
  product: null,
  stake: null,
  payout: null,
  odds: null,
  inPlay: null,
  amount: null,
})

/** One for each partition, without a key: it is about the partition, not about a player. */
export function clockRecords(encoder: Encoder<'player-activity'>, nowMs: number): OutgoingRecord[] {
  const value = encoder.encode(clockEvent(nowMs))
  const { name, partitions } = topics.playerActivity
  return Array.from({ length: partitions }, (_, partition) => ({
    topic: name,
    partition,
    key: null,
    value,
  }))
}
