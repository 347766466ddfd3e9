// How does a service wait for what it needs and is away?
import { RegistryUnavailable } from '@churnstream/schemas'
import { setTimeout as delay } from 'node:timers/promises'
import { TransientError, messageOf } from './errors.ts'
import type { Health } from './http.ts'
import type { Log } from './log.ts'

const retryMs = 1_000

/** The world does not answer: no bug, and nothing about a record. */
export const isAway = (error: unknown): error is TransientError | RegistryUnavailable =>
  error instanceof TransientError || error instanceof RegistryUnavailable

/**
 * True once the work is done, which is tried again for as long as the world does not answer; false
 * when it was stopped before.
 */
export async function untilDone(
  work: () => Promise<void>,
  options: {
    readonly signal: AbortSignal
    /** Is told why, each time. */
    readonly onTrouble: (reason: string) => void
    /** Which errors may pass; those of a world that is away unless told. */
    readonly isTrouble?: (error: unknown) => boolean
  },
): Promise<boolean> {
  const { signal, onTrouble, isTrouble = isAway } = options
  for (;;) {
    try {
      await work()
      return true
    } catch (error) {
      if (!isTrouble(error)) throw error
      if (signal.aborted) return false
      onTrouble(messageOf(error))
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/**
 * What the work resolves to, tried again for as long as a part does not answer; meanwhile the
 * service is not ready and says why. Undefined: stopped before it answered.
 */
export async function untilUp<T>(
  part: string,
  doing: string,
  work: () => Promise<T>,
  options: { readonly health: Health; readonly log: Log; readonly signal: AbortSignal },
): Promise<T | undefined> {
  const { health, log, signal } = options
  health.waitFor(part, doing)
  if (signal.aborted) return undefined
  let result: T | undefined
  await untilDone(
    async () => {
      result = await work()
      health.ready(part)
    },
    {
      signal,
      onTrouble(reason) {
        health.waitFor(part, reason)
        log.warn({ part, reason, waitMs: retryMs }, 'not there yet, tried again')
      },
    },
  )
  return result
}
