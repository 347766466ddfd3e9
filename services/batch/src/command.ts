// How does a command that Dagster may have started run to its end, and say how it ended?
import { TransientError } from '@churnstream/runtime'
import { exitCodeOf, exitCodes, textOf } from './exit.ts'
import { openPipes, type Pipes } from './pipes.ts'

export interface CommandWorld {
  readonly pipes: Pipes
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** To Dagster when it listens, else to stderr. */
  readonly onProgress: (line: string) => void
}

/** Runs the work, prints what went wrong and ends the process with the status that says so. */
export async function runCommand(
  name: string,
  work: (world: CommandWorld) => Promise<void>,
): Promise<never> {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stopping.abort(new TransientError(`it was stopped by ${signal}`)))
  }
  let pipes: Pipes | undefined
  try {
    const opened = openPipes(process.env)
    pipes = opened
    const onProgress = (line: string): void => {
      if (opened.context === undefined) console.error(`${name}: ${line}`)
      else opened.log(line)
    }
    await work({ pipes: opened, signal: stopping.signal, onProgress })
    opened.close()
    process.exit(exitCodes.done)
  } catch (error) {
    console.error(`${name}: ${textOf(error)}`)
    pipes?.close(error)
    process.exit(exitCodeOf(error))
  }
}
