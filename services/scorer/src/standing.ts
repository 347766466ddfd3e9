// What stands under one alias, and how does the next version take its place?
import type { RegistryEvent } from '@churnstream/schemas'
import { TransientError, messageOf, type Log } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { ModelRefused } from './refused.ts'
import type { Claim } from './versions.ts'

export interface StandingOptions {
  readonly key: string
  readonly claim: (event: RegistryEvent) => Promise<Claim>
  /** The claim is the caller's from here on. */
  readonly onLoaded: (event: RegistryEvent, claim: Claim, tookMs: number) => void
  readonly onRefused: (event: RegistryEvent, refused: ModelRefused) => void
  readonly onRemoved: () => void
  /** A bug: nothing more will be settled. */
  readonly onFailed: (error: unknown) => void
  readonly log: Log
}

const retryMs = 1_000

/**
 * Level, not edge: while one version loads, later events only replace the next one to load, and an
 * older epoch than the newest seen is never loaded. While the world is away the load is tried again,
 * until a newer event makes it pointless.
 */
export class Standing {
  readonly #options: StandingOptions
  readonly #stopping = new AbortController()
  readonly #waiting: { epoch: number; resolve: () => void }[] = []
  #wanted: RegistryEvent | null | undefined
  #seenEpoch = -1
  #settledEpoch = -1
  #superseded = new AbortController()
  #isWorking = false
  #working: Promise<void> = Promise.resolve()

  constructor(options: StandingOptions) {
    this.#options = options
  }

  offer(event: RegistryEvent | null): void {
    if (event !== null) {
      if (event.epoch <= this.#seenEpoch) return
      this.#seenEpoch = event.epoch
    }
    this.#wanted = event
    this.#superseded.abort()
    if (!this.#isWorking) this.#working = this.#work().catch(this.#options.onFailed)
  }

  /** Resolves once the event of that epoch, or a later one, was loaded or refused. */
  settledTo(epoch: number): Promise<void> {
    if (this.#settledEpoch >= epoch) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ epoch, resolve }))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#superseded.abort()
    await this.#working
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    while (this.#wanted !== undefined && !this.#stopping.signal.aborted) {
      const event = this.#wanted
      this.#wanted = undefined
      this.#superseded = new AbortController()
      if (event === null) this.#options.onRemoved()
      else if (await this.#settle(event)) this.#settled(event.epoch)
    }
    this.#isWorking = false
  }

  /** False when a newer event came before this one could be settled. */
  async #settle(event: RegistryEvent): Promise<boolean> {
    const { key, log, claim, onLoaded, onRefused } = this.#options
    const { signal } = this.#superseded
    const startedAt = performance.now()
    for (;;) {
      try {
        const claimed = await claim(event)
        onLoaded(event, claimed, performance.now() - startedAt)
        return true
      } catch (error) {
        if (error instanceof ModelRefused) {
          onRefused(event, error)
          return true
        }
        if (!(error instanceof TransientError)) throw error
        log.warn({ key, epoch: event.epoch, reason: messageOf(error) }, 'will be fetched again')
        await delay(retryMs, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return false
      }
    }
  }

  #settled(epoch: number): void {
    this.#settledEpoch = epoch
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.epoch <= epoch) waiting.resolve()
      else this.#waiting.push(waiting)
    }
  }
}
