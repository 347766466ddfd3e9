// When must a service stop, and with which exit status?
import type { Log } from './log.ts'

/** Aborted by SIGTERM and SIGINT, with the signal's name as the reason. */
export function shutdownSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => controller.abort(name))
  }
  return controller.signal
}

/** Runs a service's main; a throw is logged as fatal and ends the process with status 1. */
export async function runMain(main: () => Promise<void>, log?: Log): Promise<void> {
  try {
    await main()
    process.exit(0)
  } catch (error) {
    if (log) log.fatal({ err: error }, 'ended')
    else console.error(error instanceof Error ? error.message : error)
    // Buffered log lines must leave before the process does.
    setImmediate(() => process.exit(1))
  }
}
