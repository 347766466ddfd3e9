// When must a service stop, and with which exit status?
import { FatalError, messageOf } from './errors.ts'

/** Aborted by SIGTERM and SIGINT, with the signal's name as the reason. */
export function shutdownSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => controller.abort(name))
  }
  return controller.signal
}

/** Runs a service's main; a throw ends the process with status 1 and says why. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main()
    process.exit(0)
  } catch (error) {
    console.error(messageOf(error))
    // What we foresaw says what to do; anything else is a bug and needs its place.
    if (!(error instanceof FatalError)) console.error(error)
    process.exit(1)
  }
}
