// npm run model: which command is it, and what does it answer?
import { MlflowRefused, MoveRefused } from '@churnstream/registry-bridge'
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import { RegistryUnavailable } from '@churnstream/schemas'
import { checkVersion } from './check.ts'
import { connect, type Connection } from './connect.ts'
import { parseCommand, usage, usages, UsageError, type Command } from './arguments.ts'
import { gateJson, gateTable, gateTag, gateText, isPassed } from './core/gate.ts'
import { statusText } from './core/status.ts'
import { importModel, madeText, trainModel } from './make.ts'
import { move, promoteVersion } from './move.ts'
import { askToRetrain } from './retrain.ts'
import { readStatus } from './status.ts'
import { resolveVersion, toModelName } from './versions.ts'

interface Answer {
  readonly text: string
  readonly json: object
  readonly isGood: boolean
}

const expected = [
  UsageError,
  FatalError,
  TransientError,
  MlflowRefused,
  MoveRefused,
  RegistryUnavailable,
]

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1))
}

try {
  const { command, isJson, dataDir } = parseCommand(process.argv.slice(2))
  if (command.command === 'help') {
    console.log(command.of === undefined ? usage : usages[command.of])
  } else {
    await using connection = connect(process.env, dataDir)
    const { text, json, isGood } = await run(connection, command)
    console.log(isJson ? JSON.stringify(json, null, 2) : text)
    if (!isGood) process.exitCode = 1
  }
} catch (error) {
  // Anything else is a bug, and ends the process with its stack.
  if (!expected.some((kind) => error instanceof kind)) throw error
  console.error(`model: ${messageOf(error)}`)
  process.exitCode = 1
}

async function run(
  connection: Connection,
  command: Exclude<Command, { command: 'help' }>,
): Promise<Answer> {
  switch (command.command) {
    case 'import':
    case 'train':
      return make(connection, command)
    case 'check': {
      const modelName = toModelName(command.model)
      const version = await resolveVersion(connection.mlflow, modelName, command.version)
      const gate = await checkVersion(connection, modelName, version)
      const text = `${gateTable(gate)}\n\n${gateText(gate)}`
      return { text, json: gateJson(gate), isGood: isPassed(gate) }
    }
    case 'retrain': {
      const { text, request } = await askToRetrain(connection, command, Date.now())
      return { text, json: request, isGood: true }
    }
    case 'status': {
      const models = await readStatus(connection, command.model)
      return { text: statusText(models, Date.now()), json: models, isGood: true }
    }
    default: {
      const moved = await move(connection, command)
      return { text: moved.text, json: moved, isGood: moved.isGood }
    }
  }
}

/** A version that can't serve stays registered: rows with its own columns may be scored with it. */
async function make(
  connection: Connection,
  command: Extract<Command, { command: 'import' | 'train' }>,
): Promise<Answer> {
  const made = await (command.command === 'import'
    ? importModel(connection, command)
    : trainModel(connection, command))
  const gate = await checkVersion(connection, made.name, made.version)
  const lines = [madeText(made), gateText(gate)]
  const json = { ...made, gate: gateTag(gate) }
  if (!command.champion) return { text: lines.join('\n'), json, isGood: true }
  if (!isPassed(gate)) {
    lines.push('it was not made champion')
    return { text: lines.join('\n'), json: { ...json, champion: null }, isGood: false }
  }
  const { waitMs } = command
  const moved = await promoteVersion(connection, made.name, made.version, { force: false, waitMs })
  lines.push(moved.text)
  return { text: lines.join('\n'), json: { ...json, champion: moved }, isGood: moved.isGood }
}
