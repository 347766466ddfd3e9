// Is there a champion in MLflow, and if not, how is the sample model made?
import { aliases, createMlflow } from '@churnstream/registry-bridge'
import { buildTrainingSet } from '@churnstream/replay'
import type { Simulation } from '@churnstream/simulator'
import type { Stack } from '@churnstream/topology/local'
import { createReadStream, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { simulatedHistory } from './simulated-history.ts'

const trainingFolder = fileURLToPath(new URL('../../training/', import.meta.url))

export const modelName = 'churn-default'
export const championAlias = aliases.champion

/** What a model learns from: simulated history up to its end. */
export interface Lesson {
  readonly name: string
  readonly history: Simulation
  /** Of the labelled player-days. */
  readonly share: number
  /** The newest days, to test on; the last third unless told. */
  readonly testDays?: number
}

const seed = 7
const dayMs = 86_400_000
/** Fixed, so that the sample model is the same wherever it is trained. */
const historyEndsAt = Date.UTC(2026, 0, 1)

/** How much simulated history the sample model learns from. */
export type ModelSize = keyof typeof lessons
const lessons = {
  demo: sampleLesson('demo', 4_000, 150, 0.4),
  /** Enough to train and score, quick enough for a test. */
  small: sampleLesson('small', 800, 120, 0.6),
} as const

function sampleLesson(name: string, players: number, days: number, share: number): Lesson {
  const startAt = historyEndsAt - days * dayMs
  const history = { seed, players, startAt, endAt: historyEndsAt, signUpDays: days * 0.75 }
  return { name, history, share }
}

export interface EnsureModelOptions {
  readonly stack: Stack
  readonly dataDir: string
  readonly size: ModelSize | Lesson
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}

export async function ensureModel(options: EnsureModelOptions): Promise<void> {
  const { stack, onProgress } = options
  const version = await championVersion(stack.mlflow.url, stack.mlflow.user)
  if (version !== undefined) {
    onProgress(`MLflow names version ${version} of ${modelName} as ${championAlias}`)
    return
  }
  onProgress('no model yet: simulating history and training one, once')
  await trainModel(options)
}

/** Trains on simulated history and registers the next version, as champion unless told otherwise; returns it. */
export async function trainModel(
  options: EnsureModelOptions & { readonly seed?: number; readonly champion?: boolean },
): Promise<string> {
  const { stack, dataDir, signal, onProgress } = options
  const lesson = typeof options.size === 'string' ? lessons[options.size] : options.size
  const folder = join(dataDir, 'training')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `training-set-${lesson.name}.csv.gz`)
  const history = { ...lesson.history, seed: options.seed ?? lesson.history.seed }
  const { rows } = await buildTrainingSet({
    file,
    partitions: [simulatedHistory(history, onProgress)],
    seed: history.seed,
    share: lesson.share,
  })
  onProgress(`${rows} labelled rows`)
  signal.throwIfAborted()

  const logFile = join(folder, 'training.log')
  const champion = options.champion === false ? [] : ['--champion']
  const testDays = lesson.testDays === undefined ? [] : ['--test-days', String(lesson.testDays)]
  const training = stack.spawn({
    name: 'training',
    command: stack.python,
    args: [
      '-m',
      'churn_training',
      'train',
      '--data',
      file,
      '--name',
      modelName,
      '--seed',
      String(seed),
      ...champion,
      ...testDays,
    ],
    cwd: trainingFolder,
    logFile,
    env: stack.pythonEnv,
  })
  const { code } = await training.exited
  if (code !== 0) {
    throw new Error(
      `training failed. Its log (${logFile}) ends:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`,
    )
  }
  const result = await lastJsonLine(logFile)
  const version = String(result['version'])
  onProgress(`trained version ${version}: test AUC ${Number(result['auc']).toFixed(3)}`)
  return version
}

/** The version that MLflow's alias names. */
export async function championVersion(
  mlflowUrl: string,
  user?: { readonly username: string; readonly password: string },
): Promise<string | undefined> {
  return (await createMlflow(mlflowUrl, user).model(modelName))?.aliases[championAlias]
}

async function lastJsonLine(file: string): Promise<Record<string, unknown>> {
  let last = '{}'
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line.startsWith('{')) last = line
  }
  return JSON.parse(last) as Record<string, unknown>
}
