// With which status does a command end, and may whoever started it try again?
import { MlflowRefused } from '@churnstream/registry-bridge'
import { FatalError, isAway, messageOf } from '@churnstream/runtime'
import { ModelRefused, RunFailed } from '@churnstream/scorer'
import { RowRefused } from '@churnstream/sinks'

export const exitCodes = {
  done: 0,
  /** Asking again changes nothing: the input, the model or the arguments must change first. */
  failed: 1,
  /** EX_TEMPFAIL of sysexits.h: the world did not answer. */
  tryAgain: 75,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The arguments can't be understood; the message says which one and what it should be. */
export class UsageError extends Error {
  override name = 'UsageError'
}

const foreseen = [UsageError, FatalError, ModelRefused, MlflowRefused, RowRefused, RunFailed]

export function exitCodeOf(error: unknown): ExitCode {
  return isAway(error) ? exitCodes.tryAgain : exitCodes.failed
}

/** What we foresaw says what to do; anything else is a bug and needs its place. */
export function textOf(error: unknown): string {
  const isForeseen = isAway(error) || foreseen.some((kind) => error instanceof kind)
  if (isForeseen || !(error instanceof Error)) return messageOf(error)
  return `${messageOf(error)}\n${error.stack ?? ''}`
}
