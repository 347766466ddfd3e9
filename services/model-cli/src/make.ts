// How does Python make a version for us?
import { FatalError } from '@churnstream/runtime'
import { findPython, venvPython } from '@churnstream/topology/local'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Connection } from './connect.ts'
import type { Command } from './arguments.ts'

const trainingFolder = fileURLToPath(new URL('../../training/', import.meta.url))

const made = z.looseObject({
  name: z.string(),
  version: z.string(),
  trees: z.number(),
  columns: z.number(),
  parityMaxDifference: z.number(),
  parityRows: z.number(),
  seconds: z.number(),
})
export type Made = z.output<typeof made>

export const madeText = (of: Made): string =>
  `version ${of.version} of ${of.name} is registered after ${of.seconds} s: ${of.trees} trees, ` +
  `${of.columns} columns, at most ${of.parityMaxDifference.toExponential(1)} from XGBoost over ` +
  `${of.parityRows} rows`

/** @throws FatalError when Python could not do it; why stands on stderr */
export function importModel(
  connection: Connection,
  { market, name, files, trees, trainWindow }: Extract<Command, { command: 'import' }>,
): Promise<Made> {
  return runPython(connection, 'import', {
    model: resolve(files.model),
    sample: resolve(files.sample),
    columns: resolve(files.columns),
    metrics: files.metrics === undefined ? undefined : resolve(files.metrics),
    market,
    name,
    trees,
    'train-window': trainWindow,
  })
}

/** @throws FatalError when there is no data, or Python could not do it */
export function trainModel(
  connection: Connection,
  { market, name, variant, data, seed }: Extract<Command, { command: 'train' }>,
): Promise<Made> {
  const simulated = join(connection.dataDir, 'training', 'training-set-demo.csv.gz')
  if (data === undefined && !existsSync(simulated)) {
    throw new FatalError(
      `--data is missing, and there is no ${simulated}, which \`npm run demo\` makes`,
    )
  }
  return runPython(connection, 'train', {
    data: data === undefined ? simulated : resolve(data),
    market,
    variant,
    seed: seed?.toString(),
    name,
  })
}

async function runPython(
  { variables }: Connection,
  command: string,
  options: Readonly<Record<string, string | undefined>>,
): Promise<Made> {
  const base = await findPython()
  const python = base.python === undefined ? undefined : venvPython(base.version)
  if (python === undefined || !existsSync(python)) {
    throw new FatalError("Python's packages are not installed: run this with npm run model")
  }
  const given = Object.entries(options).flatMap(([key, value]) =>
    value === undefined ? [] : [`--${key}`, value],
  )
  const child = spawn(python, ['-m', 'churn_training', command, ...given], {
    cwd: trainingFolder,
    env: variables,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = (): void => void child.kill()
  process.on('exit', stop)
  let last = ''
  const ended = new Promise<number | null>((done, fail) => {
    child.on('error', fail)
    child.on('close', done)
  })
  for await (const line of createInterface({ input: child.stdout })) last = line
  const code = await ended
  process.off('exit', stop)
  if (code !== 0) throw new FatalError(`${command} failed: nothing was registered`)
  return made.parse(JSON.parse(last))
}
