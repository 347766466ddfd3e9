// How does MLflow come to hear what the scorers report?
import { DecodeProblem, Decoder, type LoadReport, type Schemas } from '@churnstream/schemas'
import { topics } from '@churnstream/topology'
import {
  messageOf,
  untilDone,
  type ConsumedRecord,
  type Kafka,
  type Log,
} from '@churnstream/runtime'
import { setTimeout as delay } from 'node:timers/promises'
import { versionKey } from './announcer.ts'
import { aliases } from './contract.ts'
import { addReport, figuresOf, trialKey, type Trial } from './core/shadow.ts'
import { addVerdict, mergedVerdict, noVerdicts, verdictIn } from './core/verdicts.ts'
import type { Verdict, Verdicts } from './core/verdicts.ts'
import { MlflowRefused } from './mlflow.ts'
import type { Tagger } from './tags.ts'
import { isTrouble } from './trouble.ts'

export interface ReportsOptions {
  readonly kafka: Kafka
  readonly schemas: Pick<Schemas, 'prepare'>
  readonly tagger: Tagger
  /** Figures of a challenger are written at most that often. */
  readonly intervalMs: number
  readonly now: () => number
  /** The bridge itself speaks for this version: its folder can't be announced. */
  readonly isUnreadable: (modelName: string, modelVersion: string) => boolean
  /** Resolves to false when it must be tried again: the reason why it wasn't done may pass. */
  readonly onUnhealthy: (verdict: Verdict) => Promise<boolean>
  readonly onUnreadableReport: () => void
  readonly log: Log
}

interface TrialState {
  trial: Trial
  changed: boolean
  /** Milliseconds since 1970. */
  writtenAt: number
}

const topic = topics.loadReports
const retryMs = 1_000

/** Follows load-reports from the start. What MLflow could not be told is told again. */
export async function runReports(options: ReportsOptions, signal: AbortSignal): Promise<void> {
  const { kafka, schemas, tagger, intervalMs, now, log } = options
  const decoder = new Decoder('load-report')
  const verdicts = new Map<string, Verdicts>()
  const toTell = new Set<string>()
  const trials = new Map<string, TrialState>()
  /** Unhealthy verdicts under champion that aren't settled, one of each model, version and epoch. */
  const unhealthy = new Map<string, Verdict>()
  let news = new AbortController()
  let taking: Promise<void> = Promise.resolve()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)

  // Every record counts, not only the newest of a key: a scorer that stops says its last word and
  // deletes it at once.
  const follower = kafka.follow(topic.name, (records) => {
    taking = taking.then(() => take(records))
    taking.catch(failed.reject)
  })
  follower.finished.catch(failed.reject)
  try {
    await Promise.race([work(), failed.promise])
  } finally {
    await follower.stop()
  }

  async function work(): Promise<void> {
    while (!signal.aborted) {
      const wake = AbortSignal.any([signal, news.signal])
      await delay(intervalMs, undefined, { signal: wake }).catch(() => undefined)
      news = new AbortController()
      const trouble = await tell(now())
      if (trouble === undefined) continue
      log.warn({ reason: messageOf(trouble) }, 'MLflow will be told again')
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
      news.abort()
    }
    const trouble = await tell(Infinity)
    if (trouble) log.warn({ reason: messageOf(trouble) }, 'MLflow was not told before the stop')
  }

  async function take(records: readonly ConsumedRecord[]): Promise<void> {
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]))
    const onTrouble = (reason: string): void =>
      log.warn({ reason }, 'the schema registry will be asked again')
    const prepare = () => schemas.prepare(decoder, values, signal)
    if (!(await untilDone(prepare, { signal, onTrouble }))) return
    for (const { value, offset } of records) {
      if (value === null) continue
      const report = decoder.decode(value)
      if (report instanceof DecodeProblem) {
        log.error({ offset: String(offset), detail: report.detail }, 'unreadable load report')
        options.onUnreadableReport()
        continue
      }
      add(report)
    }
    news.abort()
  }

  function add(report: LoadReport): void {
    const verdict = verdictIn(report)
    if (verdict !== undefined) {
      const key = versionKey(verdict.modelName, verdict.modelVersion)
      verdicts.set(key, addVerdict(verdicts.get(key) ?? noVerdicts, verdict))
      toTell.add(key)
      if (verdict.verdict === 'unhealthy' && verdict.alias === aliases.champion) {
        unhealthy.set(`${key} ${verdict.epoch}`, verdict)
      }
    }
    const key = trialKey(report)
    const known = trials.get(key)
    const trial = addReport(known?.trial, report)
    if (trial === undefined || trial === known?.trial) return
    const changed = known === undefined || figuresOf(known.trial)?.rows !== figuresOf(trial)?.rows
    trials.set(key, {
      trial,
      changed: changed || known.changed,
      writtenAt: known?.writtenAt ?? -Infinity,
    })
    for (const [other, { trial: old, changed: untold }] of trials) {
      if (old.modelName === trial.modelName && old.epoch < trial.epoch && !untold)
        trials.delete(other)
    }
  }

  /** The first trouble; what it left undone stays to be told. A rollback comes before its reports. */
  async function tell(nowMs: number): Promise<unknown> {
    let trouble: unknown
    const attempt = async (work: () => Promise<void>, settle: () => void): Promise<void> => {
      try {
        await work()
        settle()
      } catch (error) {
        if (!isTrouble(error)) throw error
        if (error instanceof MlflowRefused) {
          log.error({ reason: messageOf(error) }, 'MLflow refuses what a scorer reported')
          settle()
        } else trouble ??= error
      }
    }
    for (const [key, verdict] of unhealthy) {
      await attempt(
        async () => {
          if (await options.onUnhealthy(verdict)) unhealthy.delete(key)
        },
        () => undefined,
      )
    }
    for (const key of toTell) {
      const merged = mergedVerdict(verdicts.get(key) ?? noVerdicts)
      toTell.delete(key)
      if (merged === undefined || options.isUnreadable(merged.modelName, merged.modelVersion))
        continue
      let told = false
      await attempt(
        () => tagger.verdict(merged),
        () => (told = true),
      )
      if (!told) toTell.add(key)
    }
    for (const state of trials.values()) {
      if (!state.changed || nowMs - state.writtenAt < intervalMs) continue
      const { trial } = state
      const figures = figuresOf(trial)
      if (figures === undefined) continue
      await attempt(
        () => tagger.shadow(trial.modelName, trial.modelVersion, figures),
        () => {
          // Sums that came meanwhile are another trial value, and are told next time.
          state.changed = state.trial !== trial
          state.writtenAt = nowMs
        },
      )
    }
    return trouble
  }
}
