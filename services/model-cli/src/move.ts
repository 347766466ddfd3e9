// How does an alias move, and do the scorers follow it?
import { aliases, keyOf, pin, promote, rollBack, type Move } from '@churnstream/registry-bridge'
import { FatalError, TransientError } from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { checkVersion } from './check.ts'
import type { Connection } from './connect.ts'
import type { Command } from './arguments.ts'
import { gateText, isPassed } from './core/gate.ts'
import { replicaStates, toOutcome, type Outcome } from './core/rollout.ts'
import { follow, type Told } from './topics.ts'
import { resolveVersion, toModelName } from './versions.ts'

export interface Moved {
  readonly modelName: string
  readonly alias: string
  /** undefined: nothing stands there now. */
  readonly version: string | undefined
  readonly previous: string | undefined
  readonly isGood: boolean
  readonly text: string
}

type Moving = Extract<Command, { command: 'promote' | 'rollback' | 'challenge' | 'pin' }>

/** @throws MoveRefused, FatalError, and what MLflow, S3 and Kafka throw */
export async function move(connection: Connection, command: Moving): Promise<Moved> {
  const { mlflow } = connection
  const modelName = toModelName(command.model)
  const { waitMs } = command
  switch (command.command) {
    case 'promote':
      return promoteVersion(connection, modelName, command.version, command)
    case 'rollback': {
      const { reason } = command
      return moved(connection, waitMs, aliases.champion, () =>
        rollBack(mlflow, modelName, { kind: 'manual', reason, nowMs: Date.now() }),
      )
    }
    case 'pin': {
      if (command.version === undefined) {
        const { champion, previous, changed } = await pin(mlflow, modelName, undefined)
        const text = changed ? `${modelName} may move again` : `${modelName} was not pinned`
        return {
          modelName,
          alias: aliases.champion,
          version: champion,
          previous,
          isGood: true,
          text,
        }
      }
      const version = await admitted(connection, modelName, command.version, command.force)
      return moved(connection, waitMs, aliases.champion, () =>
        pin(mlflow, modelName, version, command),
      )
    }
    case 'challenge': {
      if (command.version === undefined) {
        const known = (await mlflow.model(modelName))?.aliases[aliases.challenger]
        await mlflow.deleteAlias(modelName, aliases.challenger)
        const text =
          known === undefined
            ? `${modelName} had no challenger`
            : `version ${known} of ${modelName} is challenger no more`
        const alias = aliases.challenger
        return { modelName, alias, version: undefined, previous: undefined, isGood: true, text }
      }
      const version = await admitted(connection, modelName, command.version, false)
      return moved(connection, waitMs, aliases.challenger, async () => {
        await mlflow.setAlias(modelName, aliases.challenger, version)
        return { modelName, champion: version, previous: undefined, changed: true }
      })
    }
    default:
      return command satisfies never
  }
}

export async function promoteVersion(
  connection: Connection,
  modelName: string,
  given: string,
  { force, waitMs }: { readonly force: boolean; readonly waitMs: number | undefined },
): Promise<Moved> {
  const version = await admitted(connection, modelName, given, force)
  return moved(connection, waitMs, aliases.champion, () =>
    promote(connection.mlflow, modelName, version, { force }),
  )
}

/** The version by its number, if it fits the catalogue. */
async function admitted(
  connection: Connection,
  modelName: string,
  given: string,
  force: boolean,
): Promise<string> {
  const version = await resolveVersion(connection.mlflow, modelName, given)
  if (force) return version
  const gate = await checkVersion(connection, modelName, version)
  if (!isPassed(gate)) throw new FatalError(gateText(gate))
  return version
}

/** Listens before the alias moves, so that no answer is missed. */
async function moved(
  connection: Connection,
  waitMs: number | undefined,
  alias: string,
  work: () => Promise<Move>,
): Promise<Moved> {
  const told = waitMs === undefined ? undefined : await listening(connection, waitMs)
  try {
    const startedAt = performance.now()
    const { modelName, champion: version = '', previous } = await work()
    const where = { modelName, alias, version, previous }
    if (told === undefined || waitMs === undefined) {
      return { ...where, isGood: true, text: `${alias} of ${modelName} is version ${version}` }
    }
    const { isGood, text } = await answered(told, where, startedAt, waitMs)
    return { ...where, isGood, text: isGood ? text : `${text}\n${wayBack(where)}` }
  } finally {
    await told?.stop()
  }
}

async function listening(connection: Connection, waitMs: number): Promise<Told> {
  const abort = new AbortController()
  const late = delay(waitMs, undefined, { signal: abort.signal }).then(() => {
    throw new TransientError(
      `Kafka does not tell what the scorers report; nothing was moved (--no-wait moves the alias all the same)`,
    )
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([follow(connection), late])
  } finally {
    abort.abort()
  }
}

function wayBack({ modelName, alias, previous }: Omit<Moved, 'isGood' | 'text'>): string {
  if (alias === aliases.challenger)
    return `To take it away: npm run model -- challenge ${modelName} --off`
  return previous === undefined
    ? `To promote another: npm run model -- promote ${modelName} VERSION`
    : `To go back: npm run model -- promote ${modelName} ${previous}`
}

async function answered(
  told: Told,
  { modelName, alias, version = '' }: Omit<Moved, 'isGood' | 'text'>,
  startedAt: number,
  waitMs: number,
): Promise<Outcome> {
  const abort = new AbortController()
  const late = delay(waitMs, 'late' as const, { signal: abort.signal })
  late.catch(() => undefined)
  try {
    for (;;) {
      const news = told.changed()
      const tookMs = performance.now() - startedAt
      const event = told.events.get(keyOf({ modelName, alias }))?.event
      if (event?.modelVersion === version) {
        const goal = { modelName, alias, modelVersion: version, epoch: event.epoch }
        const outcome = toOutcome(
          goal,
          replicaStates(told.reports.values(), goal, Date.now()),
          tookMs,
        )
        if (outcome.isDone) return outcome
        if ((await Promise.race([news, late, told.failed])) === 'late') return outcome
      } else if ((await Promise.race([news, late, told.failed])) === 'late') {
        const text =
          `the alias was not announced within ${waitMs / 1000} s: is the registry bridge running?\n` +
          `version ${version} of ${modelName} stands under ${alias} in MLflow`
        return { isDone: false, isGood: false, text }
      }
    }
  } finally {
    abort.abort()
  }
}
