// How does MLflow come to hear how a version fares?
import { DecodeProblem, Decoder, type MonitoringWindow, type Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import {
  messageOf,
  untilDone,
  type ConsumedRecord,
  type Kafka,
  type Log,
} from '@churnstream/runtime'
import { toMetrics } from './core/monitored.ts'
import { MlflowRefused, type Mlflow } from './mlflow.ts'
import { isTrouble } from './trouble.ts'

export interface MonitoringOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly mlflow: Pick<Mlflow, 'version' | 'logMetrics'>
  readonly onUnreadableWindow: () => void
  readonly log: Log
}

const topic = topics.modelMonitoring

/**
 * Follows model-monitoring from the start, and writes each window as metrics of the version's run. A
 * window that is told again, by another replica or after a restart, is the same point in MLflow.
 */
export async function runMonitoring(
  options: MonitoringOptions,
  signal: AbortSignal,
): Promise<void> {
  const { kafka, schemas, mlflow, log } = options
  const decoder = new Decoder('monitoring-window')
  /** A version's run never changes. */
  const runs = new Map<string, { readonly runId: string; readonly modelId: string | undefined }>()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  let telling: Promise<void> = Promise.resolve()
  const follower = kafka.follow(topic.name, (records) => {
    telling = telling.then(() => tell(records))
    telling.catch(failed.reject)
  })
  follower.finished.catch(failed.reject)
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    await Promise.race([stopped, failed.promise])
  } finally {
    await follower.stop()
    await telling.catch(() => undefined)
  }

  async function tell(records: readonly ConsumedRecord[]): Promise<void> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    await patiently(() => schemas.prepare(decoder, values, signal))
    if (signal.aborted) return
    for (const value of values) {
      const window = decoder.decode(value)
      if (window instanceof DecodeProblem) {
        log.error({ detail: window.detail }, 'unreadable monitoring window')
        options.onUnreadableWindow()
      } else await patiently(() => write(window))
    }
  }

  async function write(window: MonitoringWindow): Promise<void> {
    const told = toMetrics(window)
    if (told === undefined) return
    const { modelName, modelVersion } = window
    const run = await runOf(modelName, modelVersion)
    if (run === undefined) return
    const { metrics, step, atMs } = told
    try {
      await mlflow.logMetrics(run.runId, metrics, { modelId: run.modelId, step, atMs })
    } catch (error) {
      if (!(error instanceof MlflowRefused)) throw error
      const reason = messageOf(error)
      log.warn({ modelName, modelVersion, reason }, 'MLflow refuses the figures of a window')
    }
  }

  async function runOf(modelName: string, modelVersion: string) {
    const key = `${modelName} ${modelVersion}`
    const known = runs.get(key)
    if (known !== undefined) return known
    const found = await mlflow.version(modelName, modelVersion)
    if (found?.runId === undefined) return undefined
    const run = { runId: found.runId, modelId: found.modelId }
    runs.set(key, run)
    return run
  }

  async function patiently(work: () => Promise<void>): Promise<void> {
    if (signal.aborted) return
    const onTrouble = (reason: string): void =>
      log.warn({ reason }, 'a monitoring window will be told again')
    await untilDone(work, { signal, onTrouble, isTrouble })
  }
}
