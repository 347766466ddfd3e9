// How does a service start while what it needs is away?
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
  while (!signal.aborted) {
    try {
      const done = await work()
      health.ready(part)
      return done
    } catch (error) {
      if (!isAway(error)) throw error
      const reason = messageOf(error)
      health.waitFor(part, reason)
      log.warn({ part, reason, waitMs: retryMs }, 'not there yet, tried again')
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}
