// How does a service start while the schema registry is away?
import { RegistryUnavailable } from '@churnstream/schemas'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from './errors.ts'
import type { Health } from './http.ts'
import type { Log } from './log.ts'

const retryMs = 1_000

/**
 * What registering resolves to, asked again for as long as the registry does not answer; meanwhile
 * the service is not ready and says why. Undefined: stopped before it answered.
 */
export async function untilRegistered<T>(
  register: () => Promise<T>,
  options: { readonly health: Health; readonly log: Log; readonly signal: AbortSignal },
): Promise<T | undefined> {
  const { health, log, signal } = options
  health.waitFor('registry', 'registering the schemas')
  while (!signal.aborted) {
    try {
      const registered = await register()
      health.ready('registry')
      return registered
    } catch (error) {
      if (!(error instanceof RegistryUnavailable)) throw error
      health.waitFor('registry', messageOf(error))
      log.warn({ reason: messageOf(error), waitMs: retryMs }, 'the registry is asked again')
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}
