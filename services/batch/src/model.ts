// Which version is named, may it score, and how does it?
import { createS3Folders, type Mlflow } from '@churnstream/registry-bridge'
import { FatalError, TransientError, messageOf } from '@churnstream/runtime'
import type { RegistryEvent } from '@churnstream/schemas'
import type { Column, VectorView } from '@churnstream/schemas/model'
import {
  ModelRefused,
  createEngine,
  createGates,
  createRowGates,
  createS3Artifacts,
  createTrial,
  usualLimits,
  type AdmittedRows,
  type ArtifactStore,
} from '@churnstream/scorer'
import { createHash } from 'node:crypto'
import { readFile, readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Installation } from './installation.ts'

/** One version for as long as it is open, whatever becomes of the aliases meanwhile. */
export interface PinnedModel extends AsyncDisposable {
  readonly name: string
  readonly version: string
  /** models:/NAME/VERSION, or the folder. */
  readonly uri: string
  readonly columns: readonly Column[]
  /**
   * Probability of churn for each of the row-major float32 rows, in the scoring thread. Calls may
   * overlap and are answered in order. The buffer of the rows moves to the thread.
   */
  score(rows: Float32Array<ArrayBuffer>): Promise<Float32Array>
  /**
   * To be asked before scores are given out.
   * @throws FatalError when the version was deleted meanwhile @throws TransientError
   */
  confirm(): Promise<void>
}

export interface PinnedVectorModel extends PinnedModel {
  scoreVectors(vectors: readonly VectorView[]): Promise<Float32Array>
}

/** What is known of a version before it is loaded. */
interface Found {
  readonly uri: string
  /** As if it had been announced to the scorer. */
  readonly event: RegistryEvent
  readonly artifacts: ArtifactStore
  readonly confirm: () => Promise<void>
}

const { maxFileBytes, maxMemoryBytes, maxMicrosecondsPerRow, trialTimeoutMs } = usualLimits

/**
 * Resolves models:/NAME@ALIAS, models:/NAME/VERSION or a local folder, passes every gate that rows
 * ask for and opens the version in a thread.
 * @throws FatalError, ModelRefused or MlflowRefused when there is none or it must not score
 * @throws TransientError when MLflow or S3 is away
 */
export async function openPinnedModel(
  model: string,
  installation: Installation,
): Promise<PinnedModel> {
  const found = await find(model, installation)
  const admitted = await createRowGates(gateOptions(found))(found.event).catch(refusalOf(found))
  return open(found, admitted)
}

/** The same for vectors of the stream: every gate of the scorer. */
export async function openPinnedVectorModel(
  model: string,
  installation: Installation,
): Promise<PinnedVectorModel> {
  const found = await find(model, installation)
  const admitted = await createGates(gateOptions(found))(found.event).catch(refusalOf(found))
  const opened = await open(found, admitted)
  const { projection } = admitted
  return { ...opened, scoreVectors: (vectors) => opened.score(projection.rows(vectors)) }
}

const find = (model: string, installation: Installation): Promise<Found> =>
  model.startsWith('models:/') ? findRegistered(model, installation) : findFolder(model)

const gateOptions = ({ artifacts }: Found) => ({
  artifacts,
  tryModel: createTrial(trialTimeoutMs),
  settings: { maxMicrosecondsPerRow, maxMemoryBytes },
})

const refusalOf =
  ({ uri }: Found) =>
  (error: unknown): never => {
    if (!(error instanceof ModelRefused)) throw error
    throw new ModelRefused(error.reason, `${uri} is refused: ${error.reason}: ${error.message}`)
  }

async function open(
  { uri, event, confirm }: Found,
  { onnx, runner, columns }: AdmittedRows,
): Promise<PinnedModel> {
  // Whoever waits for a score is told of a thread that ended.
  const engine = createEngine(`score ${uri}`, () => undefined)
  try {
    const loaded = await engine.load({ onnx, runner, width: columns.length })
    return {
      name: event.modelName,
      version: event.modelVersion,
      uri,
      columns,
      async score(rows) {
        if (rows.length === 0) return new Float32Array()
        return (await engine.score(loaded, rows, columns.length)).scores
      },
      confirm,
      [Symbol.asyncDispose]: () => engine.close(),
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function findRegistered(model: string, installation: Installation): Promise<Found> {
  const mlflow = installation.mlflow()
  const { name, version } = await resolveVersion(model, mlflow)
  const uri = `models:/${name}/${version}`
  const artifactLocation = await mlflow.artifactLocation(name, version)
  const client = installation.s3()
  const files = await createS3Folders(client)(artifactLocation)
  if ('problem' in files) throw new FatalError(`${uri} can't be scored with: ${files.problem}`)
  return {
    uri,
    event: toEvent(name, version, artifactLocation, files),
    artifacts: createS3Artifacts({ client, maxFileBytes }),
    async confirm() {
      const found = await mlflow.version(name, version)
      if (found !== undefined) return
      throw new FatalError(`${uri} was deleted in MLflow while it scored: its scores are not kept`)
    },
  }
}

async function resolveVersion(
  model: string,
  mlflow: Mlflow,
): Promise<{ readonly name: string; readonly version: string }> {
  const [, name, alias, version] = /^models:\/([^/@]+)(?:@([^/@]+)|\/([^/@]+))$/.exec(model) ?? []
  if (name === undefined) {
    throw new FatalError(
      `${model} names no version: it is models:/NAME@ALIAS, models:/NAME/VERSION or a folder`,
    )
  }
  const registered = await mlflow.model(name)
  if (registered === undefined) {
    const others = (await mlflow.models('')).map((one) => one.name)
    throw new FatalError(
      `there is no registered model ${name}; there are: ${others.join(', ') || 'none'}`,
    )
  }
  if (alias !== undefined) {
    const found = registered.aliases[alias]
    if (found !== undefined) return { name, version: found }
    const others = Object.keys(registered.aliases)
    throw new FatalError(`${name} has no alias ${alias}; it has: ${others.join(', ') || 'none'}`)
  }
  const found = await mlflow.version(name, version as string)
  if (found !== undefined) return { name, version: found.version }
  const others = (await mlflow.versions(name)).map((one) => one.version)
  throw new FatalError(`${name} has no version ${version}; it has: ${others.join(', ') || 'none'}`)
}

/** Named after the folder; its version is what is in it. */
async function findFolder(folder: string): Promise<Found> {
  const path = resolve(folder)
  const found = await stat(path).catch((error: unknown) => {
    throw new FatalError(`the model ${folder} can't be read: ${messageOf(error)}`)
  })
  if (!found.isDirectory()) {
    throw new FatalError(
      `the model ${folder} is a file: give the folder with MLmodel, model.onnx, columns.json and ` +
        'golden.json; npm run model -- import makes one of an XGBoost file',
    )
  }
  const entries = await readdir(path, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  const files: RegistryEvent['files'] = []
  const whole = createHash('sha256')
  for (const name of names.sort()) {
    const bytes = await readFile(join(path, name))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    files.push({ path: name, sha256, sizeBytes: bytes.length })
    whole.update(`${sha256}  ${name}\n`)
  }
  return {
    uri: path,
    event: toEvent(basename(path), whole.digest('hex').slice(0, 12), path, files),
    artifacts: createFolderArtifacts(path),
    confirm: async () => undefined,
  }
}

function createFolderArtifacts(folder: string): ArtifactStore {
  return {
    async fetch({ files }, path) {
      const expected = files.find((file) => file.path === path)
      if (expected === undefined) {
        throw new ModelRefused('file-missing', `${folder} has no ${path}`)
      }
      if (expected.sizeBytes > maxFileBytes) {
        const detail = `${path} has ${expected.sizeBytes} bytes, allowed are ${maxFileBytes}`
        throw new ModelRefused('file-too-large', detail)
      }
      const bytes = await readFile(join(folder, path))
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      if (sha256 === expected.sha256) return bytes
      throw new TransientError(`${folder} changed while it was read: ${path}`)
    },
  }
}

const toEvent = (
  modelName: string,
  modelVersion: string,
  artifactLocation: string,
  files: RegistryEvent['files'],
): RegistryEvent => ({
  modelName,
  modelVersion,
  artifactLocation,
  files,
  alias: '',
  epoch: 0,
  origin: 'batch',
})
