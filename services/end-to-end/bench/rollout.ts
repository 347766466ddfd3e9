// npm run bench -- rollout: how soon does an alias take effect, and what does a swap cost?
import { Schemas } from '@churnstream/schemas'
import { createMlflow, type Mlflow } from '@churnstream/registry-bridge'
import { rssBytesOf } from '@churnstream/topology/local'
import { setTimeout as delay } from 'node:timers/promises'
import { championAlias, championVersion, modelName, trainModel } from '../pipeline/model.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { openFolders } from '../rollout/folder.ts'
import { watchScores } from '../rollout/scores.ts'
import { medianOf, swapUnderLoad } from '../rollout/swaps.ts'
import { streamVectors } from '../rollout/vectors.ts'
import { startBreakable } from './breakable.ts'

const freshVersions = 25
const polledVersions = 3
const promotions = 20
const warmUpMs = 20_000
const vectorsPerSecond = 5_000

export interface RolloutFigures {
  readonly [figure: string]: number | string
}

interface Bench {
  readonly pipeline: Pipeline
  readonly schemas: Schemas
  readonly mlflow: Mlflow
  readonly onProgress: (line: string) => void
}

export async function benchRollout(options: {
  readonly dataDir: string
  readonly signal: AbortSignal
  readonly onProgress: (line: string) => void
}): Promise<RolloutFigures> {
  const { dataDir, signal, onProgress } = options
  const start = async (bridge: Record<string, string | undefined>): Promise<Pipeline> => {
    const { pipeline } = await startBreakable({
      dataDir,
      modelSize: 'demo',
      services: ['registryBridge', 'scorer'],
      env: { registryBridge: bridge },
      signal,
      onProgress,
    })
    return pipeline
  }
  const benchOf = (pipeline: Pipeline): Bench => ({
    pipeline,
    schemas: new Schemas({ url: pipeline.stack.registry.url }),
    mlflow: createMlflow(pipeline.stack.mlflow.url),
    onProgress,
  })
  const figures: Record<string, number | string> = {}
  {
    // A poll would find what a webhook lost; here only webhooks count.
    await using pipeline = await start({ POLL_INTERVAL_MS: '600000' })
    const bench = benchOf(pipeline)
    const withWebhooks = await aliasToFirstScore(bench, freshVersions)
    figures['alias to first score of a new version, webhooks, p50 ms'] = medianOf(
      withWebhooks.tookMs,
    )
    figures['alias to first score of a new version, webhooks, worst ms'] =
      withWebhooks.tookMs.at(-1) ?? NaN
    figures['new versions: scorer MB after the fifth and after the last'] =
      `${withWebhooks.rssMb[4]}, ${withWebhooks.rssMb.at(-1)}`
    const first = (await championVersion(pipeline.stack.mlflow.url)) as string
    const second = await trainModel({
      stack: pipeline.stack,
      dataDir,
      size: 'small',
      seed: 99,
      champion: false,
      signal,
      onProgress,
    })
    const report = await swapUnderLoad({
      ...bench,
      modelName,
      versions: [first, second],
      promotions,
      seed: 1,
      ratePerSecond: vectorsPerSecond,
      warmUpMs,
    })
    figures['swaps under load: vectors a second'] = report.vectorsPerSecond
    figures['swaps under load: promotions'] = report.promotions
    figures['swaps under load: missing, duplicates, epochs that fell'] = [
      report.missing,
      report.duplicates,
      report.epochFalls,
    ].join(', ')
    figures['swaps under load: longest gap in output, ms'] = report.longestGapMs
    figures['swaps under load: alias to first score of a warm version, p50 ms'] = medianOf(
      report.aliasToScoreMs,
    )
    figures['swaps under load: scorer MB after swap 5 and after the last'] =
      `${report.rssMb[4]}, ${report.rssMb.at(-1)}`
  }
  {
    await using pipeline = await start({ POLL_INTERVAL_MS: '30000', WEBHOOK_URL: undefined })
    const { tookMs: polled } = await aliasToFirstScore(benchOf(pipeline), polledVersions)
    figures['alias to first score of a new version, no webhooks, p50 ms'] = medianOf(polled)
    figures['alias to first score of a new version, no webhooks, worst ms'] = polled.at(-1) ?? NaN
  }
  return figures
}

interface Firsts {
  /** Sorted. */
  readonly tookMs: readonly number[]
  /** Resident memory of the scorer after each version. */
  readonly rssMb: readonly number[]
}

/** Each version has bytes of its own to fetch, check, try and load. */
async function aliasToFirstScore(bench: Bench, count: number): Promise<Firsts> {
  const { pipeline, schemas, mlflow, onProgress } = bench
  const { kafka, stack } = pipeline
  const folders = openFolders(stack, mlflow)
  const champion = (await championVersion(stack.mlflow.url)) as string
  const folder = await folders.read(modelName, champion)
  const watch = watchScores(kafka, schemas)
  await watch.caughtUp
  const stream = await streamVectors({
    kafka,
    schemas,
    ratePerSecond: 500,
    markets: ['gb'],
    seed: 2,
  })
  const tookMs: number[] = []
  const rssMb: number[] = []
  for (let round = 0; round < count; round++) {
    const version = await folders.register(modelName, folder)
    // A person sets the alias some time after the version was made.
    await delay(1_000)
    const setAt = performance.now()
    const scored = watch.firstOf(version, setAt)
    await mlflow.setAlias(modelName, championAlias, version)
    tookMs.push(Math.round((await scored) - setAt))
    rssMb.push(Math.round(rssBytesOf(pipeline.process('scorer').pid) / 2 ** 20))
    onProgress(`alias to first score: ${tookMs.at(-1)} ms; the scorer holds ${rssMb.at(-1)} MB`)
  }
  stream.stop()
  await stream.finished
  await watch.stop()
  return { tookMs: tookMs.toSorted((a, b) => a - b), rssMb }
}
