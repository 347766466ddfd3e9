// Which models do the contenders score with, and what does XGBoost itself say?
import { createMlflow } from '@churnstream/registry-bridge'
import { buildTrainingSet } from '@churnstream/replay'
import { tailOf, type Stack } from '@churnstream/topology/local'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { championVersion, modelName } from '../../pipeline/model.ts'
import { simulatedHistory } from '../../pipeline/simulated-history.ts'
import { openFolders } from '../../rollout/folder.ts'
import { pythonFolder } from './installation.ts'

const trainingFolder = fileURLToPath(new URL('../../../training/', import.meta.url))
const dayMs = 86_400_000
const learnedUntil = Date.UTC(2026, 0, 1)
const lesson = {
  history: { seed: 7, players: 1_000, startAt: learnedUntil - 150 * dayMs, endAt: learnedUntil },
  share: 0.6,
}

export interface Model {
  readonly name: string
  readonly version: string
  readonly onnxFile: string
  readonly columns: readonly string[]
}

type Say = (line: string) => void

/** Trains 300 trees of depth 6 elsewhere, as a team would, and imports them: MLflow's champion. */
export async function importModel(stack: Stack, folder: string, onProgress: Say): Promise<void> {
  mkdirSync(folder)
  const trainingSet = join(folder, 'training-set.csv.gz')
  const { history, share } = lesson
  await buildTrainingSet({
    file: trainingSet,
    partitions: [simulatedHistory(history, onProgress)],
    seed: history.seed,
    share,
  })
  await models(stack, 'train', trainingSet, folder)
  const file = (name: string): string => join(folder, name)
  const files = ['--model', file('model.json'), '--columns', file('columns.json')]
  const handed = [...files, '--sample', file('sample.json')]
  const module = ['-m', 'churn_training', 'import', '--market', 'default', '--champion']
  await python(stack, [...module, ...handed])
}

/** What the registry made of it, as the scorer will fetch it. */
export async function championModel(stack: Stack, folder: string): Promise<Model> {
  const { url } = stack.mlflow
  const version = (await championVersion(url)) as string
  const files = await openFolders(stack, createMlflow(url)).read(modelName, version)
  const onnxFile = join(folder, 'model.onnx')
  writeFileSync(onnxFile, files.get('model.onnx') as Buffer)
  const columns = JSON.parse(String(files.get('columns.json'))) as string[]
  return { name: modelName, version, onnxFile, columns }
}

/** XGBoost's scores, by the model as it was trained, of the float32 rows in a file. */
export async function scoresOf(stack: Stack, folder: string, rows: string): Promise<Float32Array> {
  const scores = join(folder, 'scores')
  await models(stack, 'score', join(folder, 'model.json'), rows, scores)
  return readFloats(scores)
}

/** The peers' model over their own features of the events in a file, and its score of each. */
export async function foldedModel(
  stack: Stack,
  folder: string,
  events: string,
): Promise<{ model: Pick<Model, 'onnxFile' | 'columns'>; scores: Float32Array }> {
  await models(stack, 'fold', events, folder)
  const columns = JSON.parse(readFileSync(join(folder, 'columns.json'), 'utf8')) as string[]
  return {
    model: { onnxFile: join(folder, 'model.onnx'), columns },
    scores: readFloats(join(folder, 'scores')),
  }
}

const models = (stack: Stack, ...args: readonly string[]): Promise<void> =>
  python(stack, [join(pythonFolder, 'models.py'), ...args])

async function python(stack: Stack, args: readonly string[]): Promise<void> {
  const logFile = join(stack.dataDir, 'service-logs', 'models.log')
  const child = stack.spawn({
    name: 'models',
    command: stack.python,
    args: [...args],
    cwd: trainingFolder,
    logFile,
    env: { ...stack.pythonEnv, PYTHONPATH: [trainingFolder, pythonFolder].join(delimiter) },
  })
  const { code } = await child.exited
  if (code !== 0) throw new Error(`${args.join(' ')} failed:\n${tailOf(logFile)}`)
}

function readFloats(file: string): Float32Array {
  const bytes = readFileSync(file)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}
