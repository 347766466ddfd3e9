// In which order do polls, deliveries and reports get their turn?
import type { Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { messageOf, type Health, type Kafka, type Log } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { createAnnouncer, versionKey } from './announcer.ts'
import type { DescribeFolder } from './artifacts.ts'
import { createDeliveries, type Answer } from './deliveries.ts'
import type { BridgeMetrics } from './metrics.ts'
import type { Mlflow } from './mlflow.ts'
import { runMonitoring } from './monitoring.ts'
import { runReports } from './reports.ts'
import { createRollbacks } from './rollbacks.ts'
import type { DeliveryHeaders } from './signature.ts'
import { createSubscription } from './subscription.ts'
import { createTagger } from './tags.ts'
import { isTrouble } from './trouble.ts'

export interface BridgeOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'encoderOf' | 'prepare'>
  readonly mlflow: Mlflow
  readonly describeFolder: DescribeFolder
  readonly namePrefix: string
  readonly pollIntervalMs: number
  readonly reportIntervalMs: number
  readonly automaticRollback: boolean
  /** Without a URL MLflow is not asked for a webhook; without secrets no delivery is believed. */
  readonly webhook: {
    readonly url: string | undefined
    readonly secrets: readonly string[]
    readonly windowMs: number
  }
  /** Name and version of this service, for verdicts of its own. */
  readonly by: string
  readonly now: () => number
  readonly log: Log
  readonly health: Health
  readonly metrics: BridgeMetrics
}

export interface Bridge {
  /** Until the signal. Rejects on a bug or when Kafka says that it can't go on. */
  run(signal: AbortSignal): Promise<void>
  /** Answers a webhook delivery. */
  receive(headers: DeliveryHeaders, body: Buffer): Promise<Answer>
}

const retryMs = 1_000
const part = 'registry'

/**
 * Polls never fail the service: what can't be reached is asked for again, and what the topic says
 * stays. Deliveries only make a poll's work come earlier.
 */
export function createBridge(options: BridgeOptions): Bridge {
  const { mlflow, log, health, metrics, webhook } = options
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => undefined)
  const announcer = createAnnouncer({
    ...options,
    onAnnounced: (origin) => metrics.events.inc({ origin }),
    onEpoch(key, epoch) {
      if (epoch === undefined) metrics.announcedEpoch.remove({ key })
      else metrics.announcedEpoch.set({ key }, epoch)
    },
    onUnreadableEvent: () => metrics.unreadable.inc({ topic: topics.registryEvents.name }),
  })
  const tagger = createTagger({
    mlflow,
    by: options.by,
    now: options.now,
    onMetricsRefused: (error) =>
      log.warn({ reason: messageOf(error) }, 'figures of a challenger are only in its tag'),
  })
  const rollBackUnhealthy = createRollbacks({
    mlflow,
    announcer,
    now: options.now,
    onResult: (result) => metrics.rollbacks.inc({ result }),
    log,
  })
  const subscription =
    webhook.url !== undefined && webhook.secrets[0] !== undefined
      ? createSubscription({ mlflow, url: webhook.url, secret: webhook.secrets[0], log })
      : undefined

  /** One at a time: a reading of MLflow must not be announced after a newer one. */
  let tail: Promise<unknown> = Promise.resolve()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work, work)
    tail = turn.catch(() => undefined)
    return turn
  }

  /** A delivery that comes while another of its model still waits is served by the same reading. */
  const waiting = new Map<string, Promise<void>>()
  let nudged = new AbortController()
  function reconcileSoon(modelName: string): Promise<void> {
    const known = waiting.get(modelName)
    if (known !== undefined) return known
    const turn = inTurn(async () => {
      waiting.delete(modelName)
      try {
        await announcer.reconcile('webhook', modelName)
      } catch (error) {
        // MLflow may give up before what we miss is back; polling doesn't.
        nudged.abort()
        throw error
      }
    })
    waiting.set(modelName, turn)
    return turn
  }

  async function subscribe(): Promise<void> {
    try {
      await subscription?.ensure()
      metrics.subscribed.set(subscription === undefined ? 0 : 1)
    } catch (error) {
      if (!isTrouble(error)) throw error
      metrics.subscribed.set(0)
      log.warn({ reason: messageOf(error) }, 'no webhook in MLflow: polling goes on')
    }
  }

  async function tagUnreadable(): Promise<void> {
    const found = [...announcer.unreadable().values()]
    metrics.unreadableVersions.set(found.length)
    for (const { modelName, modelVersion, problem } of found) {
      try {
        await tagger.unreadable(modelName, modelVersion, problem)
      } catch (error) {
        if (!isTrouble(error)) throw error
        log.warn({ modelName, modelVersion, reason: messageOf(error) }, 'told at the next poll')
      }
    }
  }

  async function poll(signal: AbortSignal): Promise<void> {
    health.waitFor(part, 'MLflow was not read yet')
    while (!signal.aborted) {
      let pauseMs = options.pollIntervalMs
      nudged = new AbortController()
      try {
        await subscribe()
        await inTurn(() => announcer.reconcile('reconcile'))
        metrics.registryRead.set(options.now() / 1000)
        health.ready(part)
        await tagUnreadable()
      } catch (error) {
        if (!isTrouble(error)) throw error
        log.warn({ reason: messageOf(error) }, 'the registry will be read again')
        health.waitFor(part, messageOf(error))
        pauseMs = Math.min(retryMs, pauseMs)
        await delay(pauseMs, undefined, { signal }).catch(() => undefined)
        continue
      }
      const wake = AbortSignal.any([signal, nudged.signal])
      await delay(pauseMs, undefined, { signal: wake }).catch(() => undefined)
    }
  }

  return {
    receive: createDeliveries({
      ...webhook,
      namePrefix: options.namePrefix,
      now: options.now,
      reconcile: reconcileSoon,
      onFatal: broken.reject,
      onResult: (result) => metrics.deliveries.inc({ result }),
      log,
    }),

    async run(signal) {
      const ending = new AbortController()
      const either = AbortSignal.any([signal, ending.signal])
      const parts = [
        poll(either),
        runReports(
          {
            ...options,
            tagger,
            intervalMs: options.reportIntervalMs,
            isUnreadable: (name, version) => announcer.unreadable().has(versionKey(name, version)),
            onUnhealthy: (verdict) =>
              options.automaticRollback
                ? inTurn(() => rollBackUnhealthy(verdict))
                : Promise.resolve(true),
            onUnreadableReport: () => metrics.unreadable.inc({ topic: topics.loadReports.name }),
          },
          either,
        ),
        runMonitoring(
          {
            ...options,
            onUnreadableWindow: () =>
              metrics.unreadable.inc({ topic: topics.modelMonitoring.name }),
          },
          either,
        ),
      ]
      try {
        await Promise.race([Promise.all(parts), broken.promise])
      } finally {
        ending.abort()
        await Promise.allSettled(parts)
        await inTurn(() => announcer.close())
      }
    },
  }
}
