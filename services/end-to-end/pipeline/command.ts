// How does one of our commands answer a user who has a stack running on a folder?
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * With nothing in the environment but what is told: the command must find the stack by its folder.
 * @throws Error with its signal when it was killed
 */
export async function runCommand(
  script: string,
  args: readonly string[],
  dataDir: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env
  const env = {
    PATH,
    HOME,
    ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }),
    ...variables,
  }
  const given = [script, ...args, '--data-dir', dataDir]
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, given, { env })) }
  } catch (error) {
    const { code, stdout, stderr } = error as Ended
    if (typeof code !== 'number') throw error
    return { code, stdout, stderr }
  }
}
