// How are faults run one after the other, and what became of the events of each?
import { join } from 'node:path'
import { messageOf } from '@churnstream/runtime'
import { verifyRunning, type Breach } from '@churnstream/verifier'
import { runningVariables } from '@churnstream/topology/local'
import type { FaultCase } from './fault-case.ts'
import { labKinds, openLab, type Lab, type LabOptions } from './lab.ts'
import { readLedger } from './ledger.ts'
import { PromiseBroken } from './promise-broken.ts'

export interface CaseReport {
  readonly fault: string
  /** How often the fault struck. */
  readonly fired: number
  /** Acknowledged while it lasted and until the pipeline had caught up. */
  readonly events: number
  readonly lost: number
  readonly duplicated: number
  readonly outOfOrder: number
  readonly wrongScores: number
  /** null: it did not. */
  readonly secondsToCatchUp: number | null
  /** Longest time without any score. */
  readonly pauseSeconds: number
  readonly isServiceKill: boolean
  /** Why the fault could not be played to its end; what follows in its lab is not played then. */
  readonly failure: string | null
}

export interface FaultsReport {
  readonly cases: readonly CaseReport[]
  readonly totals: {
    readonly cases: number
    readonly events: number
    readonly lost: number
    readonly duplicated: number
    readonly outOfOrder: number
    readonly wrongScores: number
    /** Breaches of any other kind, or of no event. */
    readonly others: number
    readonly recomputedScores: number
    readonly largestScoreDifference: number
    /** Of the cases in which a service was killed; null when there was none. */
    readonly p99PauseAfterServiceKillSeconds: number | null
  }
  readonly breaches: readonly Breach[]
}

export const notCaughtUp = 'it did not catch up'
const settleEvents = 600
const sample = 2_000

/** Faults of one kind of lab strike one pipeline under load; in its end everything is verified. */
export async function runFaults(
  cases: readonly FaultCase[],
  options: Omit<LabOptions, 'kind'>,
): Promise<FaultsReport> {
  const reports: FaultsReport[] = []
  for (const kind of labKinds) {
    const own = cases.filter(({ lab = 'usual' }) => lab === kind)
    if (own.length === 0) continue
    const dataDir = join(options.dataDir, kind)
    reports.push(await runInLab(own, { ...options, kind, dataDir }))
  }
  return merged(reports)
}

async function runInLab(cases: readonly FaultCase[], options: LabOptions): Promise<FaultsReport> {
  const { onProgress } = options
  await using lab = await openLab(options)
  await lab.more(settleEvents)
  await lab.caughtUp()
  const struck: Omit<CaseReport, 'lost' | 'duplicated' | 'outOfOrder' | 'wrongScores'>[] = []
  for (const fault of cases) {
    lab.begin(fault.name)
    lab.takePause()
    const before = lab.acknowledged
    const played = await play(fault, lab, options.signal)
    const { fired, seconds, pauseSeconds, failure } = played
    const events = lab.acknowledged - before
    struck.push({
      fault: fault.name,
      isServiceKill: fault.isServiceKill ?? false,
      fired,
      events,
      secondsToCatchUp: seconds === undefined ? null : rounded(seconds),
      pauseSeconds: rounded(pauseSeconds),
      failure,
    })
    onProgress(
      `${fault.name}: struck ${fired} times, ${events} events, caught up after ` +
        `${seconds?.toFixed(1) ?? '–'} s, longest pause ${pauseSeconds.toFixed(1)} s` +
        (failure === null ? '' : `; ${failure}`),
    )
    if (seconds === undefined) break
  }
  lab.begin('end')
  const isWhole = struck.every(({ secondsToCatchUp }) => secondsToCatchUp !== null)
  await (isWhole ? lab.finish() : lab.giveUp())

  const ledger = readLedger(lab.ledgerFile)
  // Ours is the stack of this lab, whatever else the environment names.
  const env = { ...process.env, MLFLOW_TRACKING_URI: undefined }
  const variables = runningVariables(env, options.dataDir)
  if (variables === undefined) throw new Error('the pipeline left no environment')
  const verified = await verifyRunning({
    variables,
    acknowledged: ledger.map(({ eventId }) => eventId),
    sample,
    onProgress,
  })
  const during = new Map(ledger.map(({ eventId, during: name }) => [eventId, name]))
  const count = (kinds: readonly Breach['kind'][], fault?: string): number =>
    verified.breaches.filter(
      ({ kind, eventId }) =>
        kinds.includes(kind) && (fault === undefined || during.get(eventId ?? '') === fault),
    ).length
  const lost = ['lost'] as const
  const duplicated = ['duplicated', 'unexpected'] as const
  const outOfOrder = ['out-of-order'] as const
  const wrongScores = ['wrong-score', 'wrong-vector'] as const
  const known = [...lost, ...duplicated, ...outOfOrder, ...wrongScores]
  const reports = struck.map((one) => ({
    ...one,
    lost: count(lost, one.fault),
    duplicated: count(duplicated, one.fault),
    outOfOrder: count(outOfOrder, one.fault),
    wrongScores: count(wrongScores, one.fault),
  }))
  return {
    cases: reports,
    totals: {
      cases: struck.length,
      events: ledger.length,
      lost: count(lost),
      duplicated: count(duplicated),
      outOfOrder: count(outOfOrder),
      wrongScores: count(wrongScores),
      others: verified.breaches.length - count(known),
      recomputedScores: verified.records.recomputed,
      largestScoreDifference: verified.largestScoreDifference,
      p99PauseAfterServiceKillSeconds: p99Pause(reports),
    },
    breaches: verified.breaches,
  }
}

/** A fault that fails ends its lab and not the report: what was played is verified all the same. */
async function play(
  fault: FaultCase,
  lab: Lab,
  signal: AbortSignal,
): Promise<Pick<CaseReport, 'fired' | 'pauseSeconds' | 'failure'> & { seconds?: number }> {
  let fired = 0
  try {
    fired = await fault.run(lab)
    if (fired === 0) throw new Error('it did not happen')
    const seconds = await lab.caughtUp()
    const pauseSeconds = lab.takePause()
    if (seconds === undefined) return { fired, pauseSeconds, failure: notCaughtUp }
    // Work goes on behind the fault: what it broke must show.
    await lab.more(settleEvents)
    return { fired, pauseSeconds, failure: null, seconds }
  } catch (error) {
    if (error instanceof PromiseBroken || signal.aborted) throw error
    return { fired, pauseSeconds: lab.takePause(), failure: messageOf(error) }
  }
}

function merged(reports: readonly FaultsReport[]): FaultsReport {
  const cases = reports.flatMap((report) => report.cases)
  const all = reports.map(({ totals }) => totals)
  const sum = (of: (totals: FaultsReport['totals']) => number): number =>
    all.reduce((total, totals) => total + of(totals), 0)
  return {
    cases,
    totals: {
      cases: cases.length,
      events: sum(({ events }) => events),
      lost: sum(({ lost }) => lost),
      duplicated: sum(({ duplicated }) => duplicated),
      outOfOrder: sum(({ outOfOrder }) => outOfOrder),
      wrongScores: sum(({ wrongScores }) => wrongScores),
      others: sum(({ others }) => others),
      recomputedScores: sum(({ recomputedScores }) => recomputedScores),
      largestScoreDifference: Math.max(...all.map((one) => one.largestScoreDifference)),
      p99PauseAfterServiceKillSeconds: p99Pause(cases),
    },
    breaches: reports.flatMap(({ breaches }) => breaches),
  }
}

/** By nearest rank. */
function p99Pause(cases: readonly CaseReport[]): number | null {
  const pauses = cases.filter(({ isServiceKill }) => isServiceKill).map((one) => one.pauseSeconds)
  pauses.sort((a, b) => a - b)
  return pauses[Math.ceil(pauses.length * 0.99) - 1] ?? null
}

const rounded = (value: number): number => Math.round(value * 10) / 10
