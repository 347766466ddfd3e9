// What do swaps cost and keep, with vectors flowing?
import type { Schemas } from '@churnstream/schemas'
import type { Mlflow } from '@churnstream/registry-bridge'
import { rssBytesOf } from '@churnstream/topology/local'
import { topics } from '@churnstream/topology'
import { setTimeout as delay } from 'node:timers/promises'
import { championAlias } from '../pipeline/model.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { accountFor, watchScores, type RunAccount } from './scores.ts'
import { streamVectors } from './vectors.ts'

export interface SwapReport extends RunAccount {
  readonly sent: number
  readonly vectorsPerSecond: number
  readonly promotions: number
  /** Longest time without a score, of the whole run. */
  readonly longestGapMs: number
  /** From setting the alias to the first score of the version it names, sorted. */
  readonly aliasToScoreMs: readonly number[]
  /** Resident memory of the scorer after each promotion. */
  readonly rssMb: readonly number[]
}

export interface SwapOptions {
  readonly pipeline: Pipeline
  readonly schemas: Schemas
  readonly mlflow: Mlflow
  readonly modelName: string
  /** Take turns as champion; the first is the champion before. */
  readonly versions: readonly string[]
  readonly ratePerSecond: number
  readonly promotions: number
  readonly seed: number
  /** The first seconds are slow and grow the heap in any process: they are not what a swap costs. */
  readonly warmUpMs: number
}

const settleMs = 500
const drainMs = 30_000

/** Sets the alias again and again, each time as soon as the version before has scored. */
export async function swapUnderLoad(options: SwapOptions): Promise<SwapReport> {
  const { pipeline, schemas, mlflow, modelName, versions, ratePerSecond, promotions } = options
  const { kafka } = pipeline
  const from = await kafka.endOffsets(topics.churnScores.name)
  const watch = watchScores(kafka, schemas)
  await watch.caughtUp
  const stream = await streamVectors({
    kafka,
    schemas,
    ratePerSecond,
    markets: ['gb'],
    seed: options.seed,
  })
  const scorer = pipeline.process('scorer')
  const startedAt = performance.now()
  await delay(options.warmUpMs)
  watch.takeLongestGapMs()
  const aliasToScoreMs: number[] = []
  const rssMb: number[] = []
  for (let promotion = 1; promotion <= promotions; promotion++) {
    const version = versions[promotion % versions.length] as string
    const setAt = performance.now()
    const scored = watch.firstOf(version, setAt)
    await mlflow.setAlias(modelName, championAlias, version)
    aliasToScoreMs.push(Math.round((await scored) - setAt))
    rssMb.push(Math.round(rssBytesOf(scorer.pid) / 2 ** 20))
    await delay(settleMs)
  }
  const longestGapMs = Math.round(watch.takeLongestGapMs())
  stream.stop()
  await stream.finished
  const seconds = (performance.now() - startedAt) / 1000
  const deadline = performance.now() + drainMs
  while (watch.seen < stream.sent && performance.now() < deadline) await delay(50)
  await watch.stop()
  const account = await accountFor({ kafka, schemas, from, sent: stream.sent })
  return {
    ...account,
    sent: stream.sent,
    vectorsPerSecond: Math.round(stream.sent / seconds),
    promotions,
    longestGapMs,
    aliasToScoreMs: aliasToScoreMs.toSorted((a, b) => a - b),
    rssMb,
  }
}

export const medianOf = (sorted: readonly number[]): number =>
  sorted[Math.floor(sorted.length / 2)] ?? NaN
