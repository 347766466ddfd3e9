// Is the database there, with our tables?
import { TransientError, messageOf, untilUp, type Health, type Log } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import type { Database, Session } from './database.ts'
import { migrate } from './migrations.ts'

const probeMs = 5_000

/** Waits for a database that is away, then applies what is missing. */
export async function prepareDatabase(
  database: Database,
  health: Health,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const work = async (): Promise<void> => {
    const applied = await migrate(database)
    if (applied.length > 0) log.info({ applied }, 'migrations applied')
  }
  await untilUp('database', 'applying migrations', work, { health, log, signal })
}

/** Keeps readiness true to the database also while no scores arrive. */
export async function watchDatabase(
  database: Session,
  health: Health,
  signal: AbortSignal,
  everyMs: number = probeMs,
): Promise<void> {
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      await database.query('SELECT 1')
      health.ready('database')
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      health.waitFor('database', messageOf(error))
    }
  }
}
