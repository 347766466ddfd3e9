// How does one of our commands answer a user who has a stack running on a folder?
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The status that a shell gives a process that ended by kill -9. */
export const killed = 128 + 9

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** With nothing of ours in the environment: the command must find the stack by its folder. */
export async function runCommand(
  script: string,
  args: readonly string[],
  dataDir: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env
  const env = { PATH, HOME, ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }), ...more }
  const given = [script, ...args, '--data-dir', dataDir]
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, given, { env })) }
  } catch (error) {
    const { code, signal, stdout, stderr } = error as Ended & { signal?: string | null }
    if (typeof code !== 'number' && signal !== 'SIGKILL') throw error
    return { code: code ?? killed, stdout, stderr }
  }
}
