// May this version score vectors? Everything that is checked before it is loaded.
import type { RegistryEvent } from '@churnstream/schemas'
import {
  Projection,
  checkContract,
  type Column,
  type ContractProblem,
} from '@churnstream/schemas/model'
import { messageOf } from '@churnstream/runtime'
import type { ArtifactStore } from './artifact.ts'
import { goldenRows, largestDifference, parseGolden, toleranceOf } from './core/golden.ts'
import { ModelRefused } from './refused.ts'
import type { RunnerName } from './runner.ts'
import type { TryModel } from './trial.ts'

/** What a version's folder must hold. */
const files = {
  mlmodel: 'MLmodel',
  onnx: 'model.onnx',
  columns: 'columns.json',
  golden: 'golden.json',
} as const

export interface GateSettings {
  readonly maxMicrosecondsPerRow: number
  readonly maxMemoryBytes: number
}

/** What holds unless the environment says otherwise. */
export const usualLimits = {
  maxFileBytes: 256 * 1024 * 1024,
  maxMemoryBytes: 512 * 1024 * 1024,
  maxMicrosecondsPerRow: 200,
  trialTimeoutMs: 30_000,
} as const

/** Measured by the gates; see load-report.avsc. */
export interface GateFigures {
  readonly goldenRows: number
  readonly goldenMaxDifference: number
  readonly goldenTolerance: number
  /** Of the runner that serves. */
  readonly microsecondsPerRow: number
  readonly onnxRuntimeMicrosecondsPerRow: number
  /** Missing where the forest kernel can't serve the model. */
  readonly forestMicrosecondsPerRow?: number
  /** 1 or 0. */
  readonly servedByForest: number
  readonly memoryBytes: number
  readonly loadMs: number
}

export interface AdmittedRows {
  readonly onnx: Uint8Array
  readonly runner: RunnerName
  /** Why ONNX Runtime serves, for the log; empty where the forest kernel does. */
  readonly whyNoForest: string
  readonly columns: readonly Column[]
  readonly figures: GateFigures
}

export interface Admitted extends AdmittedRows {
  readonly projection: Projection
}

/**
 * In order: size and digest of each file; MLmodel's signature, columns, ONNX and catalogue agree and
 * no operator is outside the list; the golden rows score alike in a process of its own; what a row
 * costs and what the model holds in memory stay within the budget.
 */
export type Admit = (event: RegistryEvent) => Promise<Admitted>

interface GateOptions {
  readonly artifacts: ArtifactStore
  readonly tryModel: TryModel
  readonly settings: GateSettings
}

/** The returned function throws ModelRefused, or TransientError while the store is away. */
export function createGates(options: GateOptions): Admit {
  const pass = createPass(options, () => false)
  return async (event) => {
    const admitted = await pass(event)
    const projection = Projection.of(admitted.columns)
    if (projection instanceof Projection) return { ...admitted, projection }
    throw new ModelRefused(projection.code, projection.detail)
  }
}

/** All but one: rows name their columns themselves, so they may be other than the catalogue's. */
export function createRowGates(
  options: GateOptions,
): (event: RegistryEvent) => Promise<AdmittedRows> {
  return createPass(options, ({ code }) => code === 'columns-not-in-catalogue')
}

function createPass(
  { artifacts, tryModel, settings }: GateOptions,
  isAllowed: (problem: ContractProblem) => boolean,
): (event: RegistryEvent) => Promise<AdmittedRows> {
  return async (event) => {
    const startedAt = performance.now()
    const [mlmodel, onnx, columns, goldenText] = await Promise.all([
      artifacts.fetch(event, files.mlmodel).then(toText),
      artifacts.fetch(event, files.onnx),
      artifacts.fetch(event, files.columns).then(toText),
      artifacts.fetch(event, files.golden).then(toText),
    ])
    const contract = checkContract({ mlmodel, columns, onnx })
    const [problem, ...others] = contract.problems.filter((one) => !isAllowed(one))
    if (problem !== undefined) {
      const more = others.length === 0 ? '' : ` (and ${others.length} more)`
      throw new ModelRefused(problem.code, `${problem.detail}${more}`)
    }
    const names = contract.columns.map(({ name }) => name)
    const golden = refuseIfThrown('golden-unreadable', () => parseGolden(goldenText, names))
    const trial = await tryModel({
      onnx,
      rows: goldenRows(golden),
      width: names.length,
      maxMilliseconds: 2_000,
    })
    const goldenMaxDifference = largestDifference(golden, trial.scores)
    const goldenTolerance = toleranceOf(golden)
    if (!(goldenMaxDifference <= goldenTolerance)) {
      throw new ModelRefused(
        'golden-differs',
        `the golden rows differ by ${goldenMaxDifference}, allowed is ${goldenTolerance}`,
      )
    }
    const { runner, whyNoForest, memoryBytes } = trial
    const { onnxruntime, forest } = trial.microsecondsPerRow
    const microsecondsPerRow = trial.microsecondsPerRow[runner] ?? NaN
    if (microsecondsPerRow > settings.maxMicrosecondsPerRow) {
      throw new ModelRefused(
        'too-slow',
        `a row costs ${microsecondsPerRow.toFixed(0)} µs, allowed is ${settings.maxMicrosecondsPerRow}`,
      )
    }
    if (memoryBytes > settings.maxMemoryBytes) {
      throw new ModelRefused(
        'too-much-memory',
        `it holds ${memoryBytes} bytes, allowed are ${settings.maxMemoryBytes}`,
      )
    }
    const figures = {
      goldenRows: golden.rows.length,
      goldenMaxDifference,
      goldenTolerance,
      microsecondsPerRow,
      onnxRuntimeMicrosecondsPerRow: onnxruntime,
      ...(forest === undefined ? {} : { forestMicrosecondsPerRow: forest }),
      servedByForest: runner === 'forest' ? 1 : 0,
      memoryBytes,
      loadMs: Math.round(performance.now() - startedAt),
    }
    return { onnx, runner, whyNoForest, columns: contract.columns, figures }
  }
}

function refuseIfThrown<T>(reason: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new ModelRefused(reason, messageOf(error), { cause: error })
  }
}

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
