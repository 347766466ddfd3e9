// How does a drift become a better champion, step by step, with nobody's help?
import { aliases, versionTags, type Mlflow } from '@churnstream/registry-bridge'
import type { MonitoringWindow } from '@churnstream/schemas'
import { modelName } from '../../pipeline/model.ts'
import { figuresOf, type Notice } from '../../pipeline/retraining.ts'
import type { Pace } from './pace.ts'
import type { Happened, Log } from './report.ts'
import { figureOf, type Requested, type Watch } from './watch.ts'
import { dayMs, liveFrom, plant } from './world.ts'

export interface CircleOptions {
  readonly mlflow: Mlflow
  readonly mlflowUrl: string
  readonly watch: Watch
  readonly pace: Pace
  readonly log: Log
  /** What Dagster told, in the order of its coming. */
  readonly heard: readonly Notice[]
  /** Puts a version into the champion's shadow, as a person would. */
  readonly challenge: (version: string) => Promise<void>
}

/** @throws Error when a step does not happen */
export async function closeCircle(options: CircleOptions): Promise<void> {
  const { log, pace } = options
  const champion = await log.step('first champion', () => firstChampion(options))
  await log.step('live stream', async () => {
    await pace.playHistory(liveFrom)
    return { what: 'history is scored, players go on', eventAt: pace.now, evidence: {} }
  })
  await log.step('drift planted', () => ({
    what: `${plant.kind}: leavers come back, players on a break do not`,
    eventAt: plant.from,
    evidence: { plant: plant.kind },
  }))
  const candidate = await untilPromoted(options, champion.version)
  await log.step('scorer reloaded', () => reloaded(options, candidate))
  await log.step('scores improved', () => improved(options, champion.version, candidate))
}

async function firstChampion({ mlflow, mlflowUrl, pace }: CircleOptions) {
  const model = await mlflow.model(modelName)
  const version = model?.aliases[aliases.champion]
  if (version === undefined) throw new Error(`${modelName} has no champion`)
  const { runId, tags } = (await mlflow.version(modelName, version)) ?? {}
  const { metrics } = await figuresOf(mlflowUrl, runId ?? '')
  const window = tags?.['train_window'] ?? ''
  const auc = metrics.get('auc') ?? NaN
  return {
    version,
    what: `version ${version} learned from ${window}, test AUC ${auc.toFixed(3)}`,
    eventAt: pace.now,
    evidence: { version, trainWindow: window, auc, mlflowRun: runId },
  }
}

/** Request by request: those that are refused, for whatever reason, are part of the report. */
async function untilPromoted(options: CircleOptions, champion: string): Promise<string> {
  const { log, pace, watch } = options
  for (let taken = 0; ; taken++) {
    const asked = await log.step('drift detected', async () => {
      const requested = await pace.playUntilFound(() => watch.requests[taken], 'fast')
      return { requested, ...detected(watch, requested, champion) }
    })
    const { requested } = asked
    await log.step('retraining requested', () => requestOf(requested))
    const candidate = await challengerOf(options, requested)
    if (candidate !== undefined && (await isPromoted(options, candidate))) return candidate
  }
}

function detected(watch: Watch, { request }: Requested, champion: string): Happened {
  const evidence = JSON.parse(request.evidence) as { toDay?: string }
  const window = watch.windows.findLast(
    ({ role, modelVersion, isConfirmed, toDay }) =>
      role === 'champion' &&
      modelVersion === champion &&
      isConfirmed &&
      dateOf(toDay) === evidence.toDay,
  )
  const figures = (window?.statistics ?? []).filter(({ state }) => state === 'alarm')
  const told = figures.map(
    ({ name, subject, value, threshold }) =>
      `${[name, subject].join(' ').trim()} ${value.toFixed(3)} (threshold ${threshold?.toFixed(3)})`,
  )
  const week = window === undefined ? 'no window' : weekOf(window)
  return {
    what: `${window?.kind ?? request.reason} of ${week}: ${told.join(', ')}`,
    eventAt: request.requestedAt,
    evidence: { week, rows: window?.rows, figures },
  }
}

const requestOf = ({ id, request }: Requested): Happened => ({
  what: `${id}: ${request.reason}, asked by ${request.requestedBy}`,
  eventAt: request.requestedAt,
  evidence: { request: id, reason: request.reason, of: JSON.parse(request.evidence) as object },
})

/** The version that a request made challenger; undefined when it was refused. */
async function challengerOf(
  options: CircleOptions,
  { id }: Requested,
): Promise<string | undefined> {
  const { log, pace, heard, mlflow } = options
  let candidate: string | undefined
  await log.step('retrained and compared', async () => {
    const notice = await pace.playUntilFound(
      () => heard.find(({ request }) => request?.id === id),
      'slow',
    )
    const { outcome, text, run, version } = notice
    if (outcome === 'challenger') candidate = version
    const found = version === undefined ? undefined : await mlflow.version(modelName, version)
    const comparison = found?.tags['churnstream.comparison']
    return {
      what: `${outcome === 'challenger' ? '' : 'refused: '}${text}`,
      eventAt: pace.now,
      evidence: {
        dagsterRun: run,
        outcome,
        version,
        trainWindow: found?.tags['train_window'],
        comparison: comparison === undefined ? undefined : (JSON.parse(comparison) as object),
        mlflowRun: found?.runId,
      },
    }
  })
  return candidate
}

async function isPromoted(options: CircleOptions, candidate: string): Promise<boolean> {
  const { log, pace, heard, mlflow } = options
  let isDone = false
  await log.step('shadow trial', async () => {
    const notice = await pace.playUntilFound(
      () => heard.findLast(({ version, reason }) => version === candidate && reason !== undefined),
      'slow',
    )
    isDone = notice.outcome === 'promoted'
    return {
      what: notice.text,
      eventAt: pace.now,
      evidence: { dagsterRun: notice.run, outcome: notice.outcome },
    }
  })
  if (!isDone) return false
  await log.step('promoted', async () => {
    // The trial is over once its challenger is taken off.
    const model = await pace.playUntilFound(async () => {
      const found = await mlflow.model(modelName)
      const { champion, challenger } = found?.aliases ?? {}
      return champion === candidate && challenger === undefined ? found : undefined
    }, 'slow')
    const version = await mlflow.version(modelName, candidate)
    const trial = version?.tags['churnstream.trial'] ?? '{}'
    return {
      what: `${aliases.champion} is version ${candidate}, ${aliases.previous} version ${model.aliases[aliases.previous]}`,
      eventAt: pace.now,
      evidence: { aliases: model.aliases, trial: JSON.parse(trial) as object },
    }
  })
  return true
}

async function reloaded({ pace, watch }: CircleOptions, version: string): Promise<Happened> {
  const first = await pace.playUntilFound(() => watch.firstScores.get(version), 'slow')
  const { partition, offset, epoch, asOf } = first
  return {
    what: `version ${version} scores since offset ${offset} of partition ${partition}, epoch ${epoch}`,
    eventAt: asOf,
    evidence: { version, partition, offset: Number(offset), epoch },
  }
}

/**
 * The monitor measures both on the same later rows: the former champion goes into the shadow of the
 * new one, and the first whole weeks that both have scored are judged when their labels are known.
 */
async function improved(
  { pace, watch, mlflow, challenge }: CircleOptions,
  former: string,
  version: string,
): Promise<Happened> {
  await challenge(former)
  const from = pace.now / dayMs + 1
  const weeks = await pace.playUntilFound(() => {
    const found = weeksOfBoth(watch.windows, version, former, from)
    return found.length < weeksMeasured ? undefined : found.slice(0, weeksMeasured)
  }, 'fast')
  const tags = (await mlflow.version(modelName, version))?.tags
  const rolledBack = tags?.[versionTags.rolledBack]
  if (rolledBack !== undefined) throw new Error(`version ${version} was rolled back: ${rolledBack}`)
  const gain = meanOf(weeks, 'gain')
  const told = weeks.map(({ gain, low, high }) => `${text(gain)} (${text(low)} to ${text(high)})`)
  const what =
    `AUC ${text(meanOf(weeks, 'auc'))}, of the former champion in its shadow ` +
    `${text(meanOf(weeks, 'formerAuc'))}; on the rows that both scored ${text(gain)} more: ` +
    `${told.join(', ')} by week`
  if (!(gain > 0)) throw new Error(`the scores did not improve: ${what}`)
  return { what, eventAt: pace.now, evidence: { gain, weeks } }
}

/** One week's gain is about twice its standard error: chance would say no one time in forty. */
const weeksMeasured = 3

interface Week {
  readonly week: string
  readonly rows: number
  readonly auc: number
  readonly formerAuc: number
  /** Of the new champion, on the rows that both have scored. */
  readonly gain: number
  readonly low: number
  readonly high: number
}

function weeksOfBoth(
  windows: readonly MonitoringWindow[],
  version: string,
  former: string,
  fromDay: number,
): Week[] {
  const measured = windows.filter(
    (window) => window.kind === 'performance' && window.fromDay >= fromDay,
  )
  return measured.flatMap((shadow): Week[] => {
    if (shadow.modelVersion !== former || shadow.role !== 'challenger') return []
    const served = measured.find(
      ({ modelVersion, role, fromDay }) =>
        modelVersion === version && role === 'champion' && fromDay === shadow.fromDay,
    )
    const gain = figureOf(shadow, 'auc-gain')
    const before = figureOf(shadow, 'auc')
    const now = served && figureOf(served, 'auc')
    if (gain?.low == null || gain.high == null || !before || !now) return []
    return [
      {
        week: weekOf(shadow),
        rows: figureOf(shadow, 'paired-rows')?.value ?? NaN,
        auc: now.value,
        formerAuc: before.value,
        gain: -gain.value,
        low: -gain.high,
        high: -gain.low,
      },
    ]
  })
}

const meanOf = (weeks: readonly Week[], name: 'auc' | 'formerAuc' | 'gain'): number =>
  weeks.reduce((sum, week) => sum + week[name], 0) / weeks.length
const text = (value: number): string => value.toFixed(3)
const dateOf = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)
const weekOf = ({ fromDay, toDay }: MonitoringWindow): string =>
  `${dateOf(fromDay)}/${dateOf(toDay)}`
