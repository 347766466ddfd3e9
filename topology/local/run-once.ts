// How does a preparing program (format, initdb) run to its end under the same ownership?
import { join } from 'node:path'
import type { Context } from './context.ts'
import { tailOf } from './owner.ts'

const timeoutMs = 120_000

export async function runOnce(
  { owner, dataDir, signal }: Context,
  name: string,
  command: string,
  args: string[],
): Promise<void> {
  signal.throwIfAborted()
  const logFile = join(dataDir.path, 'logs', `${name}.log`)
  const child = owner.spawn({ name, command, args, logFile, cwd: dataDir.path })
  const end = () => void child.kill9()
  signal.addEventListener('abort', end)
  const tooLong = setTimeout(end, timeoutMs)
  const exit = await child.exited
  clearTimeout(tooLong)
  signal.removeEventListener('abort', end)
  signal.throwIfAborted()
  if (exit.code === 0) return
  const ended = exit.signal ?? `exit code ${exit.code}`
  throw new Error(`${name} failed (${ended}). Its log ${logFile} ends:\n${tailOf(logFile)}`)
}
