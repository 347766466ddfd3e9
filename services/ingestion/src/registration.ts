// How does ingestion get the schema id that it writes with?
import { messageOf, type Health, type Log } from '@churnstream/runtime'
import { Encoder, RegistryUnavailable, type Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'

const retryMs = 1_000

/** Waits for a registry that is away. Undefined: stopped before it answered. */
export async function registerActivity(
  schemas: Pick<Schemas, 'register'>,
  health: Health,
  log: Log,
  signal: AbortSignal,
): Promise<Encoder<'player-activity'> | undefined> {
  const { name, record } = topics.playerActivity
  health.waitFor('registry', 'registering the schema')
  while (!signal.aborted) {
    try {
      const encoder = new Encoder(record, await schemas.register(record, name))
      health.ready('registry')
      return encoder
    } catch (error) {
      if (!(error instanceof RegistryUnavailable)) throw error
      health.waitFor('registry', messageOf(error))
      log.warn({ reason: messageOf(error), waitMs: retryMs }, 'the registry is asked again')
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}
